#include "core/file_io.hpp"
#include "core/rng.hpp"
#include "space/search_space.hpp"
#include "supernet/supernet.hpp"
#include "tests/formats/torch_file_builder.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"
#include "tests/support/project_dump.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/tiny_job.hpp"

#include <chrono>
#include <functional>
#include <map>

using namespace omnifit;

namespace {

const std::string kProgram = std::string(OMNIFIT_BINARY_DIR) + "/bin/omnifit_fake_timer";

/// Every checkpoint and exported file of a project by its path, byte for byte.
std::map<std::string, std::string> files_of(const std::filesystem::path& project_folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(project_folder)) {
    const std::string extension = entry.path().extension().string();
    const std::string name = entry.path().filename().string();
    // Progress files and leftovers of killed writes are not results.
    if (!entry.is_regular_file() || name.rfind("progress", 0) == 0 || name.rfind('.', 0) == 0)
      continue;
    if (extension == ".safetensors" || extension == ".onnx" || extension == ".pt" ||
        extension == ".json") {
      files[entry.path().lexically_relative(project_folder).string()] =
          core::read_text_file(entry.path());
    }
  }
  return files;
}

struct Outcome {
  std::string dump;
  std::map<std::string, std::string> files;
};

Outcome outcome_of(const std::filesystem::path& folder) {
  return {test::project_dump(folder / "project/tiny.db"), files_of(folder / "project")};
}

void require_equal(const Outcome& killed, const Outcome& undisturbed) {
  REQUIRE(test::first_difference(killed.dump, undisturbed.dump) == "");
  REQUIRE(killed.files.size() == undisturbed.files.size());
  for (const auto& [path, content] : undisturbed.files) {
    CAPTURE(path);
    REQUIRE(killed.files.count(path) == 1);
    REQUIRE(killed.files.at(path) == content);
  }
}

/// Begins with the weights of a file instead of random ones.
std::string fine_tuning_job_text() {
  std::string text = test::tiny_job_text();
  const std::size_t first = text.find("    - {name: full");
  text.erase(first, text.find("    - {name: kernel") - first);
  text.replace(text.find("  phases:"), 0, "  start_from: theirs.pth\n");
  return text;
}

void write_reference_weights(const std::filesystem::path& folder) {
  const space::SearchSpace space = space::SearchSpace::load(
      std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space/tiny.yaml");
  const supernet::Supernet network(space, {3, 10}, 5);
  core::write_file_atomically(folder / "theirs.pth",
                              test::legacy_state_dict(network.export_state(), std::identity()));
}

/// Trains for so long that whatever happens to the process happens during training.
std::string long_job_text() {
  std::string text = test::tiny_job_text();
  text.replace(text.find("epochs: 2"), 9, "epochs: 400");
  return text;
}

/// How long a process lives: from `least_ms` on, less than `range_ms` more.
struct Life {
  std::int64_t least_ms = 0;
  std::int64_t range_ms = 1;
};

/// Runs the same command again and again: killed `kills` times after random lives, unless it ends
/// before, and then to its end.
void kill_and_finish(const std::vector<std::string>& command, const std::filesystem::path& home,
                     int kills, std::uint64_t seed, const Life& life) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  for (int killed = 0;; ++killed) {
    test::Process process(command, home);
    const auto delay = std::chrono::milliseconds(
        life.least_ms +
        static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(life.range_ms))));
    int ended = 0;
    if (process.wait_for(killed < kills ? delay : std::chrono::minutes(10), ended)) {
      INFO(process.err());
      REQUIRE(ended == 0);
      return;
    }
    process.send(SIGKILL);
    process.wait();
  }
}

}  // namespace

TEST_CASE("a job killed at twenty random moments ends with the results of an undisturbed one",
          "[cli][property]") {
  const test::TempDir folder;
  const std::filesystem::path calm = folder / "calm";
  const std::filesystem::path calm_job = test::write_tiny_job(calm);
  const auto start = std::chrono::steady_clock::now();
  {
    test::Process process({kProgram, "run", calm_job.string()}, calm);
    const int code = process.wait();
    INFO(process.err());
    REQUIRE(code == 0);
  }
  const auto whole_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::steady_clock::now() - start)
                            .count();
  const Outcome undisturbed = outcome_of(calm);
  REQUIRE(undisturbed.files.size() >= 6);

  core::Rng rng = core::Rng::stream(20, core::Purpose::kTest);
  int kills = 0;
  for (int project = 0; kills < 20; ++project) {
    const std::filesystem::path wild = folder / ("wild" + std::to_string(project));
    const std::filesystem::path job = test::write_tiny_job(wild);
    for (bool finished = false; !finished;) {
      test::Process process({kProgram, "run", job.string()}, wild);
      const auto delay =
          std::chrono::milliseconds(200 + rng.below(static_cast<std::uint64_t>(whole_ms)));
      int code = 0;
      // After the twentieth kill the last project runs to its end.
      finished = process.wait_for(kills < 20 ? delay : std::chrono::minutes(10), code);
      if (!finished) {
        process.send(SIGKILL);
        process.wait();
        ++kills;
        continue;
      }
      INFO(process.err());
      REQUIRE(code == 0);
    }
    INFO("project " << project << " after " << kills << " kills");
    require_equal(outcome_of(wild), undisturbed);
  }
}

TEST_CASE("a killed fine-tuning ends with the results of an undisturbed one", "[cli][property]") {
  const test::TempDir folder;
  const auto project = [&](const std::string& name) {
    const std::filesystem::path path = folder / name;
    const std::filesystem::path job = test::write_tiny_job(path, fine_tuning_job_text());
    write_reference_weights(path);
    return std::vector<std::string>{kProgram, "train", job.string()};
  };
  const std::vector<std::string> calm = project("calm");
  test::Process undisturbed(calm, folder / "calm");
  const int code = undisturbed.wait();
  INFO(undisturbed.err());
  REQUIRE(code == 0);
  CHECK_THAT(undisturbed.err(), Catch::Matchers::ContainsSubstring("begins with the weights of"));

  const std::vector<std::string> wild = project("wild");
  kill_and_finish(wild, folder / "wild", 6, 21, {300, 700});
  require_equal(outcome_of(folder / "wild"), outcome_of(folder / "calm"));
}

TEST_CASE("a killed active search ends with the results of an undisturbed one", "[cli][property]") {
  const test::TempDir folder;
  std::string text = test::tiny_job_text();
  const std::size_t first = text.find("  evolution:");
  text.replace(first, text.find("  budgets:") - first,
               "  strategy: active\n"
               "  active: {initial_samples: 8, batch_size: 2, candidates: 100, max_evaluations: "
               "60}\n");
  text.replace(text.find("project:"), 0, "stages: [train, profile, search, report]\n");
  const auto command = [&](const std::string& name) {
    const std::filesystem::path job = test::write_tiny_job(folder / name, text);
    return std::vector<std::string>{kProgram, "run", job.string()};
  };
  const std::vector<std::string> calm = command("calm");
  const auto start = std::chrono::steady_clock::now();
  test::Process undisturbed(calm, folder / "calm");
  const int code = undisturbed.wait();
  INFO(undisturbed.err());
  REQUIRE(code == 0);
  const auto whole_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::steady_clock::now() - start)
                            .count();

  const std::vector<std::string> wild = command("wild");
  kill_and_finish(wild, folder / "wild", 8, 22, {200, whole_ms});
  require_equal(outcome_of(folder / "wild"), outcome_of(folder / "calm"));
}

TEST_CASE("Ctrl-C stops cleanly and the same command goes on", "[cli][unit]") {
  const int signal = GENERATE(SIGINT, SIGTERM);
  CAPTURE(signal);
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path(), long_job_text());
  test::Process process({kProgram, "train", job.string()}, folder.path());
  int code = 0;
  REQUIRE_FALSE(process.wait_for(std::chrono::milliseconds(2500), code));
  process.send(signal);
  REQUIRE(process.wait_for(std::chrono::seconds(60), code));
  CHECK(code == 130);
  CHECK_THAT(process.err(), Catch::Matchers::ContainsSubstring(
                                "interrupted; run the same command again to go on"));
  const store::Database db(folder / "project/tiny.db", store::Database::Mode::kReadOnly);
  CHECK(store::query(db, "SELECT state FROM stage_run").rows ==
        std::vector<std::vector<std::string>>{{"interrupted"}});
}

TEST_CASE("a second Ctrl-C ends the process at once", "[cli][unit]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path(), long_job_text());
  test::Process process({kProgram, "train", job.string()}, folder.path());
  int code = 0;
  REQUIRE_FALSE(process.wait_for(std::chrono::milliseconds(2500), code));
  process.send(SIGINT);
  process.send(SIGINT);
  REQUIRE(process.wait_for(std::chrono::seconds(30), code));
  CHECK(code == 130);
}

TEST_CASE("a second run on the same project says who holds it", "[cli][error]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path(), long_job_text());
  test::Process first({kProgram, "train", job.string()}, folder.path());
  int code = 0;
  REQUIRE_FALSE(first.wait_for(std::chrono::milliseconds(2500), code));
  std::filesystem::create_directories(folder / "second");
  test::Process second({kProgram, "run", job.string()}, folder / "second");
  REQUIRE(second.wait() == 2);
  CHECK_THAT(second.err(), Catch::Matchers::ContainsSubstring("tiny.db") &&
                               Catch::Matchers::ContainsSubstring("train"));
  first.send(SIGKILL);
  first.wait();
}
