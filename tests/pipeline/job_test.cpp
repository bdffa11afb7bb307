#include "pipeline/job.hpp"
#include "core/file_io.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/tiny_job.hpp"

using namespace omnifit;
using namespace omnifit::pipeline;
using Catch::Matchers::ContainsSubstring;

namespace {

Job load(const test::TempDir& folder, const std::string& text,
         const std::vector<std::string>& assignments = {}) {
  JobOverrides overrides;
  overrides.assignments = assignments;
  return load_job(test::write_tiny_job(folder.path(), text), overrides);
}

std::string error_of(const std::string& text, const std::vector<std::string>& assignments = {}) {
  const test::TempDir folder;
  try {
    load(folder, text, assignments);
  } catch (const ConfigError& error) {
    std::string message = error.what();
    const std::string prefix = (folder / "job.yaml").string();
    for (auto at = message.find(prefix); at != std::string::npos; at = message.find(prefix)) {
      message.replace(at, prefix.size(), "job.yaml");
    }
    return message;
  }
  return "no error";
}

}  // namespace

TEST_CASE("an empty job is a job of defaults", "[pipeline][unit]") {
  const test::TempDir folder;
  const Job job = load(folder, "{}\n");
  CHECK(job.space.name() == "mbv3_32px");
  CHECK(job.config.search.budgets.size() == 4);
  CHECK(job.threads >= 1);
}

TEST_CASE("the effective job reads back as itself", "[pipeline][property]") {
  const test::TempDir folder;
  const Job job =
      load(folder, test::tiny_job_text(), {"train.batch_size=16", "search.budgets.0.latency=33%"});
  CHECK_THAT(job.effective_yaml, ContainsSubstring("batch_size: 16") && ContainsSubstring("33%"));
  const test::TempDir again;
  CHECK(load(again, job.effective_yaml).effective_yaml == job.effective_yaml);
}

TEST_CASE("the commented job of init loads and equals the defaults", "[pipeline][unit]") {
  const test::TempDir folder;
  const std::string text = commented_job();
  CHECK_THAT(text, ContainsSubstring("# ") && ContainsSubstring("start_from: \"\""));
  CHECK(load(folder, text).effective_yaml == core::write_config(JobConfig{}));
}

TEST_CASE("every shipped job and space loads", "[pipeline][unit]") {
  int jobs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(OMNIFIT_SOURCE_DIR "/configs")) {
    if (entry.path().extension() != ".yaml") continue;
    CAPTURE(entry.path().string());
    CHECK_NOTHROW(load_job(entry.path(), {}));
    ++jobs;
  }
  CHECK(jobs >= 3);
  int spaces = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shipped_spaces_folder())) {
    CAPTURE(entry.path().string());
    CHECK_NOTHROW(space::SearchSpace::load(entry.path()));
    ++spaces;
  }
  CHECK(spaces >= 2);
}

TEST_CASE("paths in the file are relative to it, on the command line to the working directory",
          "[pipeline][unit]") {
  const test::TempDir folder;
  const Job job = load(folder, "project: out/p.db\ndata: {format: idx, root: images}\n");
  CHECK(job.project_file == folder / "out/p.db");
  CHECK(job.data.root == (folder / "images").string());
  CHECK(job.start_from.empty());
  const std::string begin = "train: {start_from: weights/w.pth, phases: []}\n";
  CHECK(load(folder, begin).start_from == folder / "weights/w.pth");
  CHECK(load(folder, begin, {"train.start_from=w.pth"}).start_from ==
        std::filesystem::current_path() / "w.pth");
  const Job overridden =
      load(folder, "data: {format: idx, root: images}\n", {"data.root=elsewhere", "project=x.db"});
  CHECK(overridden.data.root == (std::filesystem::current_path() / "elsewhere").string());
  CHECK(overridden.project_file == std::filesystem::current_path() / "x.db");
}

TEST_CASE("a wrong job gives one line per error with its place", "[pipeline][error]") {
  CHECK_THAT(error_of("sarch: {}\n"),
             ContainsSubstring("job.yaml:1:1: sarch: unknown key; did you mean 'search'?"));
  CHECK_THAT(error_of("train: {batch_size: 0}\n"),
             ContainsSubstring("job.yaml:1:21: train.batch_size must be"));
  CHECK_THAT(error_of("train: {phases: []}\n"),
             ContainsSubstring("train.phases: needs at least one phase, or weights to use as they "
                               "are in start_from"));
  CHECK_THAT(error_of("space: tinny\n"),
             ContainsSubstring("job.yaml:1:8: space: unknown space 'tinny'; did you mean 'tiny'?"));
  CHECK_THAT(error_of("search: {budgets: []}\n"), ContainsSubstring("needs at least one budget"));
  CHECK_THAT(error_of("search: {budgets: [{}]}\n"),
             ContainsSubstring("a budget needs at least one bound"));
  CHECK_THAT(error_of("search: {budgets: [{latency: 5}]}\n"),
             ContainsSubstring("job.yaml:1:") && ContainsSubstring("search.budgets.0.latency") &&
                 ContainsSubstring("got '5'"));
  CHECK_THAT(error_of("search: {budgets: [{latency: 5 ms}, {latency: 5 ms}]}\n"),
             ContainsSubstring("names and bounds must differ"));
  CHECK_THAT(error_of("search: {budgets: [{name: ../x, latency: 5 ms}]}\n"),
             ContainsSubstring("may use letters, digits"));
  CHECK_THAT(error_of("search: {objectives: [top2]}\n"),
             ContainsSubstring("got 'top2'; did you mean 'top1'?"));
  CHECK_THAT(error_of("device: {runtime: tflite}\n"),
             ContainsSubstring("must be one of libtorch, onnxruntime, command, got 'tflite'"));
  CHECK_THAT(error_of("compute: tpu\n"), ContainsSubstring("must be one of auto, cpu, cuda"));
  CHECK_THAT(error_of("{}\n", {"search.popsize=3"}),
             ContainsSubstring("<cli>: search.popsize: unknown key"));
  // All errors of a file together.
  const std::string both = error_of("seed: x\nthreads: -1\n");
  CHECK_THAT(
      both, ContainsSubstring("job.yaml:1:7: seed") && ContainsSubstring("job.yaml:2:10: threads"));
}

TEST_CASE("a job file that cannot be read says so", "[pipeline][error]") {
  CHECK_THROWS_WITH(load_job("/nonexistent/job.yaml", {}),
                    ContainsSubstring("/nonexistent/job.yaml"));
  const test::TempDir folder;
  CHECK_THROWS_WITH(load_job(folder.path(), {}), ContainsSubstring(folder.path().string()));
}
