#include "core/file_io.hpp"
#include "core/rng.hpp"
#include "core/threads.hpp"
#include "formats/tensor_file.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "supernet/data/image_batch.hpp"
#include "supernet/evaluation.hpp"
#include "supernet/images.hpp"
#include "supernet/tensor_conversion.hpp"
#include "tests/space/spaces.hpp"

#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <exception>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

/// How many subnets a minute are calibrated and validated over one set of shared weights.
///
/// With `--exchange DIR` weights, images and archs are written there before the run and the
/// measured losses after it, so that another program can do the same work and show that it was the
/// same.
namespace omnifit {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string exchange;
  int px = 64;
  int num_classes = 10;
  int subnets = 8;
  int calibration_images = 500;
  int validation_images = 1000;
  int batch_size = 100;
  int threads = core::available_cores();
};

CLI::App& add_options(CLI::App& app, Arguments& arguments) {
  const auto positive = CLI::PositiveNumber;
  app.add_option("--exchange", arguments.exchange, "folder for what a peer program needs");
  app.add_option("--px", arguments.px, "side of the images")->check(positive);
  app.add_option("--classes", arguments.num_classes)->check(positive);
  app.add_option("--subnets", arguments.subnets, "evaluated per iteration")->check(positive);
  app.add_option("--calibration-images", arguments.calibration_images)->check(positive);
  app.add_option("--validation-images", arguments.validation_images)->check(positive);
  app.add_option("--batch-size", arguments.batch_size)->check(positive);
  app.add_option("--threads", arguments.threads, "subnets at once")->check(positive);
  return app;
}

/// Random pixels; labels take turns. What images show does not matter to speed.
supernet::Dataset random_dataset(const Arguments& arguments) {
  supernet::Dataset data;
  data.name = "random";
  data.image_px = arguments.px;
  data.num_classes = arguments.num_classes;
  data.mean = {0.5F, 0.5F, 0.5F};
  data.deviation = {0.3F, 0.3F, 0.3F};
  data.fingerprint = "random";
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest, {0});
  const auto draw = [&](supernet::ImageSplit& split, int count) {
    const auto px = static_cast<std::size_t>(arguments.px);
    split.pixels.resize(static_cast<std::size_t>(count) * px * px * 3);
    for (std::uint8_t& pixel : split.pixels) pixel = static_cast<std::uint8_t>(rng.below(256));
    for (int i = 0; i < count; ++i) split.labels.push_back(i % arguments.num_classes);
  };
  draw(data.train, arguments.calibration_images);
  draw(data.validation, arguments.validation_images);
  return data;
}

/// Everything that is the same in every iteration.
struct Workload {
  explicit Workload(const Arguments& given)
      : arguments(given),
        space(test::ofa_mbv3(1.0, {given.px})),
        network(space, {3, given.num_classes}, 1),
        data(random_dataset(given)),
        evaluator(network, space, data) {
    for (int i = 0; i < arguments.subnets; ++i) {
      core::Rng rng =
          core::Rng::stream(1, core::Purpose::kTest, {1, static_cast<std::uint64_t>(i)});
      archs.push_back(space::sample(space, rng));
    }
    options.calibration_images = arguments.calibration_images;
    options.batch_size = arguments.batch_size;
    options.threads = arguments.threads;
  }

  [[nodiscard]] double mean_macs() const {
    double sum = 0.0;
    for (const space::Arch& arch : archs) {
      sum += static_cast<double>(space::macs(space::lower(space, arch, network.io())));
    }
    return sum / static_cast<double>(archs.size());
  }

  Arguments arguments;
  space::SearchSpace space;
  supernet::Supernet network;
  supernet::Dataset data;
  supernet::SubnetEvaluator evaluator;
  supernet::EvalOptions options;
  std::vector<space::Arch> archs;
};

formats::NamedTensor images_of(const Workload& workload, const char* name,
                               const supernet::ImageSplit& split) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(split.count()));
  std::iota(all.begin(), all.end(), 0);
  return supernet::to_named(name, supernet::image_batch(workload.data, split, all, nullptr));
}

void write_inputs(const Workload& workload) {
  const fs::path folder = workload.arguments.exchange;
  fs::create_directories(folder);
  formats::write_tensor_file(folder / "weights.safetensors", workload.network.export_state());
  formats::TensorFile images;
  images.tensors.push_back(images_of(workload, "calibration", workload.data.train));
  images.tensors.push_back(images_of(workload, "validation", workload.data.validation));
  std::vector<std::int64_t> all(workload.data.validation.labels.size());
  std::iota(all.begin(), all.end(), 0);
  images.tensors.push_back(
      supernet::to_named("labels", supernet::label_batch(workload.data.validation, all)));
  formats::write_tensor_file(folder / "images.safetensors", images);
  nlohmann::json job{{"batch_size", workload.arguments.batch_size}};
  for (const space::Arch& arch : workload.archs) {
    job["archs"].push_back(nlohmann::json::parse(space::to_json(workload.space, arch)));
  }
  core::write_file_atomically(folder / "job.json", job.dump());
}

void write_results(const Workload& workload,
                   const std::vector<supernet::SubnetAccuracy>& accuracies) {
  nlohmann::json results = nlohmann::json::array();
  for (const supernet::SubnetAccuracy& accuracy : accuracies) {
    results.push_back({{"top1", accuracy.top1}, {"loss", accuracy.loss}});
  }
  core::write_file_atomically(fs::path(workload.arguments.exchange) / "results.json",
                              results.dump());
}

void evaluate_subnets(benchmark::State& state, const Workload& workload) {
  const auto evaluate = [&](std::size_t count) {
    return workload.evaluator.evaluate(std::span(workload.archs).first(count),
                                       supernet::Split::kValidation, workload.options);
  };
  // Images are prepared on first use.
  evaluate(1);
  std::vector<supernet::SubnetAccuracy> accuracies;
  for (auto _ : state) accuracies = evaluate(workload.archs.size());
  const auto subnets =
      static_cast<double>(state.iterations()) * static_cast<double>(workload.archs.size());
  state.counters["subnets_per_minute"] =
      benchmark::Counter(60.0 * subnets, benchmark::Counter::kIsRate);
  state.counters["mean_mmacs"] = workload.mean_macs() / 1e6;
  if (!workload.arguments.exchange.empty()) write_results(workload, accuracies);
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  Arguments arguments;
  CLI::App app("Rate of calibrating and validating subnets of ofa_mbv3, width 1.0");
  try {
    add_options(app, arguments).parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  const Workload workload(arguments);
  if (!arguments.exchange.empty()) write_inputs(workload);
  benchmark::RegisterBenchmark(fmt::format("supernet/evaluate/px:{}/subnets:{}/threads:{}",
                                           arguments.px, arguments.subnets, arguments.threads)
                                   .c_str(),
                               [&](benchmark::State& state) { evaluate_subnets(state, workload); })
      ->UseRealTime()
      ->MeasureProcessCPUTime()
      ->Unit(benchmark::kMillisecond);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace omnifit

int main(int argc, char** argv) {
  try {
    return omnifit::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
