#include "supernet/start_weights.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "supernet/evaluation.hpp"
#include "supernet/reference_import.hpp"
#include "supernet/schedule.hpp"
#include "tests/formats/torch_file_builder.hpp"
#include "tests/supernet/network_support.hpp"
#include "tests/supernet/train_support.hpp"
#include "tests/support/temp_dir.hpp"

#include <array>

using namespace omnifit;
using namespace omnifit::supernet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Message;
using test::RecordedMessages;
using test::Run;
using test::run;
using test::short_training;

namespace {

constexpr std::uint64_t kSeed = 3;

std::string same(const std::string& name) { return name; }

/// A network that was moved away from its start, as a file of the reference.
std::filesystem::path reference_file(const test::TempDir& folder, const space::SearchSpace& space,
                                     const space::TaskIo& io) {
  Supernet network(space, io, 9);
  test::disturb(network);
  const std::filesystem::path file = folder / "theirs.pth";
  core::write_file_atomically(file, test::legacy_state_dict(network.export_state(), same));
  return file;
}

StartWeights load(const std::filesystem::path& file, const space::SearchSpace& space,
                  const space::TaskIo& io, OtherClasses other_classes = OtherClasses::kRefuse) {
  return load_start_weights(file, space, io, other_classes, kSeed);
}

void check_equal(const Supernet& found, const Supernet& expected, std::string_view only_not = "-") {
  REQUIRE(found.state().size() == expected.state().size());
  for (std::size_t i = 0; i < found.state().size(); ++i) {
    const auto& [name, tensor] = expected.state()[i];
    CAPTURE(name);
    CHECK(at::equal(found.state()[i].second, tensor) != name.starts_with(only_not));
  }
}

/// One phase after the full network: kernels, and what `expand_ratios` opens.
TrainConfig kernel_training(double distill_ratio, int expand_ratios = 1) {
  TrainConfig config = short_training();
  config.phases.erase(config.phases.begin());
  config.phases[0].name = "kernel";
  config.phases[0].open_depths = 1;
  config.phases[0].open_expand_ratios = expand_ratios;
  config.phases[0].distill_ratio = distill_ratio;
  return config;
}

}  // namespace

TEST_CASE("start weights come from a checkpoint or from a file of the reference",
          "[supernet][unit]") {
  const test::TempDir folder;
  const space::SearchSpace space = test::shipped_space("tiny");
  const auto theirs = reference_file(folder, space, {1, 4});
  const StartWeights imported = load(theirs, space, {1, 4});
  CHECK(imported.sha256 == core::sha256_file(theirs));
  CHECK(imported.where == theirs.string());
  CHECK(imported.file_classes == 4);
  CHECK_FALSE(imported.new_classifier);
  CHECK(imported.filled.empty());

  const auto ours = folder / "ours.safetensors";
  write_imported_checkpoint(ours, imported.network, space, {imported.sha256});
  const StartWeights read = load(ours, space, {1, 4});
  check_equal(read.network, imported.network);
  CHECK(read.sha256 == core::sha256_file(ours));
  check_equal(load_supernet(ours, space), imported.network);
}

TEST_CASE("weights for other classes get a new classifier only where that is asked for",
          "[supernet][unit]") {
  const test::TempDir folder;
  const space::SearchSpace space = test::shipped_space("tiny");
  const auto file = reference_file(folder, space, {1, 7});
  const StartWeights start = load(file, space, {1, 4}, OtherClasses::kNewClassifier);
  CHECK(start.new_classifier);
  CHECK(start.file_classes == 7);
  CHECK(start.network.io() == space::TaskIo{1, 4});
  const Supernet original = load(file, space, {1, 7}).network;
  const Supernet fresh(space, {1, 4}, kSeed);
  for (std::size_t i = 0; i < fresh.state().size(); ++i) {
    const auto& [name, tensor] = start.network.state()[i];
    CAPTURE(name);
    const bool classifier = name.starts_with("classifier.");
    CHECK(at::equal(tensor, (classifier ? fresh : original).state()[i].second));
  }
  CHECK_THROWS_MATCHES(
      load(file, space, {1, 4}), DataError,
      Message(file.string() +
              ": is for 1 channels and 7 classes, the data has 1 channels and 4 classes; phases of "
              "training can give it another classifier, and a file that data.labels names can give "
              "the images its labels"));
  CHECK_THROWS_MATCHES(
      load(file, space, {3, 7}, OtherClasses::kNewClassifier), DataError,
      Message(file.string() +
              ": is for 1 channels and 7 classes, the data has 3 channels and 7 classes"));
}

TEST_CASE("files that hold no start weights are refused in one line", "[supernet][error]") {
  const test::TempDir folder;
  const space::SearchSpace space = test::shipped_space("tiny");
  const auto theirs = reference_file(folder, space, {1, 4});
  const auto ours = folder / "ours.safetensors";
  write_imported_checkpoint(ours, load(theirs, space, {1, 4}).network, space, {"0123"});
  const auto refused = [&](const std::filesystem::path& file, const std::string& message,
                           const std::string& of_space = "tiny") {
    CAPTURE(file.string());
    try {
      load(file, test::shipped_space(of_space), {1, 4});
      FAIL("not refused");
    } catch (const DataError& problem) {
      const std::string text = problem.what();
      CHECK_THAT(text,
                 Catch::Matchers::StartsWith(file.string() + ": ") && ContainsSubstring(message));
      CHECK(text.find('\n') == std::string::npos);
    }
  };
  refused(folder / "none.pth", "no such file");
  refused(folder.path(), "not a regular file");
  refused(theirs, "does not fit the space 'mbv3_32px'", "mbv3_32px");
  refused(ours, "belongs to another search space", "mbv3_32px");

  const auto other = folder / "other";
  core::write_file_atomically(other, std::string_view("Once upon"));
  refused(other, "neither a checkpoint nor a PyTorch file with a state dict");
  core::write_file_atomically(other, std::string_view(""));
  refused(other, "neither a checkpoint nor a PyTorch file with a state dict");
  for (const auto& whole : {theirs, ours}) {
    const auto cut = folder / ("cut_" + whole.filename().string());
    std::filesystem::copy_file(whole, cut);
    std::filesystem::resize_file(cut, std::filesystem::file_size(cut) / 2);
    refused(cut, "");
  }

  SECTION("metadata that promise more than the tensors hold") {
    formats::TensorFile file = formats::read_tensor_file(ours);
    file.metadata["num_classes"] = "1000000";
    formats::write_tensor_file(ours, file);
    refused(ours, "'classifier.linear.weight' has shape [4, 32], expected [1000000, 32]");
    file.metadata["num_classes"] = "-1";
    formats::write_tensor_file(ours, file);
    refused(ours, "num_classes must be ");
    file.metadata["num_classes"] = "4";
    file.tensors.pop_back();
    formats::write_tensor_file(ours, file);
    refused(ours, "'classifier.linear.bias' is missing");
    file.tensors.pop_back();
    formats::write_tensor_file(ours, file);
    refused(ours, "'classifier.linear.weight' is missing");
  }
}

TEST_CASE("without phases the start weights are the result", "[supernet][property]") {
  const test::TempDir folder;
  const space::SearchSpace space = test::shipped_space("tiny");
  const Dataset data = test::toy_dataset();
  const StartWeights start = load(reference_file(folder, space, {1, 4}), space, {1, 4});
  TrainConfig config = short_training();
  config.phases.clear();
  RecordedMessages told;
  const Run taken = run(space, data, config, folder / "taken", 0, &told, &start);
  CHECK(taken.last.final);
  CHECK(taken.last.phase == "imported");
  CHECK(taken.last.step == 0);
  CHECK(taken.finished == std::vector<std::string>{"imported"});
  check_equal(load_supernet(taken.last.file, space, {1, 4}), start.network);
  CHECK_THAT(told.messages,
             ContainsSubstring("train: takes the weights of " + start.where + " as they are"));
  std::vector<std::string> names;
  for (const auto& [name, value] : taken.metrics) names.push_back(name);
  CHECK(names == std::vector<std::string>{"imported/0/val_top1_largest",
                                          "imported/0/val_top1_middle",
                                          "imported/0/val_top1_smallest"});

  const SubnetEvaluator evaluator(start.network, space, data);
  EvalOptions options;
  options.calibration_images = config.calibration_images;
  const std::array largest{space::largest(space)};
  CHECK(taken.metrics.at("imported/0/val_top1_largest") ==
        evaluator.evaluate(largest, Split::kValidation, options)[0].top1);

  SECTION("again, and on other data: the same bytes") {
    CHECK(run(space, data, config, folder / "taken", 0, nullptr, &start).last.sha256 ==
          taken.last.sha256);
    CHECK(run(space, test::toy_dataset(48), config, folder / "other", 0, nullptr, &start)
              .last.sha256 == taken.last.sha256);
  }
}

TEST_CASE("fine-tuning begins with the start weights and learns from their full network",
          "[supernet][property]") {
  const test::TempDir folder;
  const space::SearchSpace space = test::shipped_space("tiny");
  const Dataset data = test::toy_dataset();
  TrainConfig full = short_training();
  full.phases.resize(1);
  full.phases[0].epochs = 6;
  const Run teacher = run(space, data, full, folder / "full");
  const StartWeights start = load(teacher.last.file, space, {1, 4});
  const auto first_loss = [&](const TrainConfig& config, const StartWeights* weights,
                              const std::string& name) {
    const Run found = run(space, data, config, folder / name, 0, nullptr, weights);
    return found.metrics.at(config.phases[0].name + "/1/train_loss");
  };
  const double plain = first_loss(kernel_training(0.0), &start, "plain");
  CHECK(plain < 0.8 * first_loss(kernel_training(0.0), nullptr, "random"));
  CHECK(first_loss(kernel_training(1.0), &start, "distilled") > plain);

  SECTION("a phase of the full network alone makes the teacher itself") {
    full.phases[0].name = "again";
    full.phases[0].epochs = 1;
    CHECK(first_loss(full, &start, "with") == [&] {
      full.phases[0].distill_ratio = 0.0;
      return first_loss(full, &start, "without");
    }());
    CHECK(trains_full_network(space, full.phases[0]));
    CHECK_FALSE(trains_full_network(space, kernel_training(1.0).phases[0]));
  }

  SECTION("there is nothing to learn from under a new classifier") {
    const auto other_classes = reference_file(folder, space, {1, 7});
    const StartWeights transfer = load(other_classes, space, {1, 4}, OtherClasses::kNewClassifier);
    RecordedMessages told;
    const Run distilled =
        run(space, data, kernel_training(1.0), folder / "new", 0, &told, &transfer);
    CHECK(distilled.metrics.at("kernel/1/train_loss") ==
          first_loss(kernel_training(0.0), &transfer, "new_plain"));
    CHECK_THAT(told.messages,
               ContainsSubstring("train: begins with the weights of " + other_classes.string() +
                                 "; its classifier is for 7 classes, the data has 4: a new one is "
                                 "trained"));
  }

  SECTION("channels are sorted before narrower blocks than the start's are trained") {
    TrainConfig narrow = kernel_training(0.0, 0);
    const double trained_wide = [&] {
      narrow.start_expand_ratios = 1;
      return first_loss(narrow, &start, "sorted");
    }();
    narrow.start_expand_ratios = 0;
    CHECK(trained_wide != first_loss(narrow, &start, "unsorted"));
  }
}

TEST_CASE("a stopped and resumed fine-tuning equals an undisturbed one bit for bit",
          "[supernet][property]") {
  const test::TempDir folder;
  const space::SearchSpace space = test::shipped_space("tiny");
  const Dataset data = test::toy_dataset();
  const StartWeights start = load(reference_file(folder, space, {1, 4}), space, {1, 4});
  TrainConfig config = kernel_training(1.0);
  config.phases.push_back(short_training().phases[1]);
  const Run whole = run(space, data, config, folder / "whole", 0, nullptr, &start);
  REQUIRE(whole.last.final);
  std::map<std::string, double> metrics;
  for (const std::int64_t stop_at : {2, 5, 0}) {
    RecordedMessages told;
    const Run part = run(space, data, config, folder / "parts", stop_at, &told, &start);
    metrics.insert(part.metrics.begin(), part.metrics.end());
    CHECK((told.messages.find("begins with the weights") != std::string::npos) == (stop_at == 2));
  }
  CHECK((metrics == whole.metrics));
  test::check_same_weights(folder / "whole/expand.safetensors",
                           folder / "parts/expand.safetensors");
}
