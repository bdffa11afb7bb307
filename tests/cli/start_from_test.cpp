#include "core/file_io.hpp"
#include "formats/tensor_file.hpp"
#include "store/database.hpp"
#include "store/query.hpp"
#include "tests/cli/omnifit_command.hpp"
#include "tests/formats/torch_file_builder.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tiny_job.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using test::omnifit_command;
using test::Result;

namespace {

/// The tiny job with another `train` section, a line or more.
std::string job_with(const std::string& train) {
  std::string text = test::tiny_job_text();
  const std::size_t phases = text.find("  phases:");
  text.replace(phases, text.find("profile:") - phases, train);
  return text;
}

const std::string kAsItIs = "  start_from: ../theirs.pth\n  phases: []\n";

std::filesystem::path write_job(const test::TempDir& folder, const std::string& name,
                                const std::string& text) {
  return test::write_tiny_job(folder / name, text);
}

/// Trains a supernet and writes it as the reference would. @return its job
std::filesystem::path train_original(const test::TempDir& folder) {
  const std::filesystem::path job = write_job(folder, "original", test::tiny_job_text());
  const Result trained = omnifit_command(folder, {"train", job.string()});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  std::string checkpoint;
  {
    const store::Database db(folder / "original/project/tiny.db", store::Database::Mode::kReadOnly);
    checkpoint = store::query(db, "SELECT path FROM checkpoint WHERE final = 1").rows.at(0).at(0);
  }
  formats::TensorFile state = formats::read_tensor_file(folder / "original/project" / checkpoint);
  core::write_file_atomically(
      folder / "theirs.pth",
      test::legacy_state_dict(state, [](const std::string& name) { return "module." + name; }));
  return job;
}

nlohmann::json eval_json(const test::TempDir& folder, const std::filesystem::path& job,
                         const std::vector<std::string>& more = {}) {
  std::vector<std::string> command{"eval",     job.string(), "--arch", "largest", "--arch",
                                   "smallest", "--split",    "test",   "--json"};
  command.insert(command.end(), more.begin(), more.end());
  const Result result = omnifit_command(folder, command);
  INFO(result.err);
  REQUIRE(result.code == 0);
  return nlohmann::json::parse(result.out);
}

void check_same_accuracies(const nlohmann::json& found, const nlohmann::json& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const char* key : {"arch", "top1", "top5", "loss", "num_images", "macs", "params"}) {
      CAPTURE(i, key);
      CHECK(found[i].at(key) == expected[i].at(key));
    }
  }
}

void check_refused(const Result& result, const std::string& message) {
  CHECK(result.code == 2);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, StartsWith("omnifit: ") && ContainsSubstring(message));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
}

}  // namespace

TEST_CASE("an imported supernet goes through every stage as its original would",
          "[cli][property]") {
  const test::TempDir folder;
  const std::filesystem::path original = train_original(folder);
  const nlohmann::json expected = eval_json(folder, original);
  REQUIRE(expected.at(0).at("top1") > 0.1);

  const std::filesystem::path job = write_job(folder, "taken", job_with(kAsItIs));
  const Result run = omnifit_command(folder, {"run", job.string()});
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK_THAT(run.err, ContainsSubstring("train: takes the weights of " +
                                        (folder / "theirs.pth").string() + " as they are"));
  check_same_accuracies(eval_json(folder, job), expected);
  CHECK(std::filesystem::exists(folder / "taken/project/export/macs-40pct.onnx"));
  const std::string page = core::read_text_file(folder / "taken/project/report.html");
  CHECK_THAT(page, ContainsSubstring("imported") && !ContainsSubstring("optimiser steps"));

  SECTION("a subnet of the file itself is measured without a project") {
    check_same_accuracies(eval_json(folder, write_job(folder, "other", test::tiny_job_text()),
                                    {"--checkpoint", (folder / "theirs.pth").string()}),
                          expected);
    CHECK_FALSE(std::filesystem::exists(folder / "other/project"));
  }

  SECTION("what the file holds counts, not where it lies") {
    const auto train_row = [&](const std::vector<std::string>& more) {
      std::vector<std::string> command{"run", job.string(), "--dry-run"};
      command.insert(command.end(), more.begin(), more.end());
      const Result result = omnifit_command(folder, command);
      INFO(result.err);
      REQUIRE(result.code == 0);
      const std::size_t at = result.out.find("train");
      return result.out.substr(at, result.out.find('\n', at) - at);
    };
    CHECK_THAT(train_row({}), ContainsSubstring("up to date"));
    CHECK_THAT(train_row({"--set", "train.batch_size=8", "--threads", "2"}),
               ContainsSubstring("up to date"));
    std::filesystem::rename(folder / "theirs.pth", folder / "moved.pth");
    const std::string theirs = (folder / "moved.pth").string();
    const std::string own = (folder / "ours.safetensors").string();
    const std::vector<std::string> moved{"--set", "train.start_from=" + theirs};
    CHECK_THAT(train_row(moved), ContainsSubstring("up to date"));

    const auto import = omnifit_command(
        folder, {"import", "checkpoint", theirs, "--space", "tiny", "--output", own});
    REQUIRE(import.code == 0);
    const std::vector<std::string> ours{"--set", "train.start_from=" + own};
    CHECK_THAT(train_row(ours), ContainsSubstring("its inputs changed"));
    std::vector<std::string> command{"train", job.string()};
    command.insert(command.end(), ours.begin(), ours.end());
    REQUIRE(omnifit_command(folder, command).code == 0);
    check_same_accuracies(eval_json(folder, job, ours), expected);
  }
}

TEST_CASE("fine-tuning on other classes trains a new classifier", "[cli][unit]") {
  const test::TempDir folder;
  train_original(folder);
  std::string text = job_with(
      "  start_from: ../theirs.pth\n  phases:\n    - {name: tuned, epochs: 1, learning_rate: "
      "0.03, open_kernel_sizes: 0}\n");
  text.replace(text.find("num_classes: 10"), 15, "num_classes: 4");
  const std::filesystem::path job = write_job(folder, "tuned", text);
  const Result result = omnifit_command(folder, {"train", job.string()});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK_THAT(result.err, ContainsSubstring("its classifier is for 10 classes, the data has 4: a "
                                           "new one is trained"));
  const store::Database db(folder / "tuned/project/tiny.db", store::Database::Mode::kReadOnly);
  CHECK(store::query(db, "SELECT phase FROM checkpoint").rows ==
        std::vector<std::vector<std::string>>{{"tuned"}});
}

TEST_CASE("weights that cannot be started from end with 2 and one line", "[cli][error]") {
  const test::TempDir folder;
  const std::filesystem::path original = train_original(folder);
  const std::filesystem::path job = write_job(folder, "taken", job_with(kAsItIs));
  const std::string theirs = (folder / "theirs.pth").string();
  const auto train = [&](const std::vector<std::string>& more = {}) {
    std::vector<std::string> command{"train", job.string(), "--quiet"};
    command.insert(command.end(), more.begin(), more.end());
    return omnifit_command(folder, command);
  };
  const auto eval = [&](const std::string& file, const std::vector<std::string>& more = {}) {
    std::vector<std::string> command{"eval", job.string(), "--checkpoint",
                                     file,   "--arch",     "largest"};
    command.insert(command.end(), more.begin(), more.end());
    return omnifit_command(folder, command);
  };
  check_refused(train({"--set", "train.start_from=none.pth"}), "none.pth: no such file");
  check_refused(eval("none.pth"), "none.pth: no such file");
  check_refused(eval(""), ": no such file");
  check_refused(train({"--set", "data.num_classes=4"}),
                theirs +
                    ": is for 3 channels and 10 classes, the data has 3 channels and 4 "
                    "classes; phases of training can give it another classifier");
  check_refused(train({"--set", "space=mbv3_32px"}), theirs + ": does not fit the space");
  check_refused(eval(original.string()), "neither a checkpoint nor a PyTorch file");
  check_refused(eval(theirs, {"--set", "space=mbv3_32px"}), "does not fit the space 'mbv3_32px'");
  std::filesystem::resize_file(theirs, std::filesystem::file_size(theirs) / 2);
  check_refused(train(), theirs + ": ");
  check_refused(eval(theirs), theirs + ": ");

  const Result both = eval(theirs, {"--network", "net.safetensors"});
  CHECK(both.code == 2);
  CHECK_THAT(both.err, ContainsSubstring("--network"));
  const Result untimed = eval(theirs, {"--no-latency"});
  CHECK(untimed.code == 2);
  CHECK_THAT(untimed.err, ContainsSubstring("--no-latency") && ContainsSubstring("--checkpoint"));
}
