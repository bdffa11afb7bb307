#pragma once

#include "core/interrupt.hpp"
#include "formats/tensor_file.hpp"
#include "supernet/trainer.hpp"
#include "tests/support/catch.hpp"

#include <map>
#include <string>
#include <vector>

namespace omnifit::test {

/// Two short phases on the tiny space: 4 + 4 steps of 24 images.
inline supernet::TrainConfig short_training() {
  supernet::TrainConfig config;
  config.batch_size = 24;
  config.calibration_images = 48;
  config.flip = false;  // a mirrored image is one of another class
  config.checkpoint_every_s = 0.0;
  supernet::PhaseConfig full;
  full.name = "full";
  full.epochs = 1.0;
  full.open_resolutions = 1;
  supernet::PhaseConfig expand;
  expand.name = "expand";
  expand.epochs = 1.0;
  expand.learning_rate = 0.05;
  expand.subnets_per_step = 2;
  expand.open_kernel_sizes = 0;
  expand.open_depths = 0;
  expand.open_expand_ratios = 0;
  config.phases = {full, expand};
  return config;
}

class RecordedMessages final : public core::ProgressSink {
 public:
  void begin(std::string_view, std::int64_t, std::string_view, std::int64_t) override {}
  void advance(std::int64_t, std::string_view) override {}
  void message(std::string_view text) override { messages += std::string(text) + "\n"; }
  void end() override {}
  std::string messages;
};

struct Run {
  supernet::CheckpointInfo last;
  std::map<std::string, double> metrics;  ///< "phase/step/name"
  std::vector<std::string> finished;
};

/// Trains, from `start` if it is given; asks for a stop as soon as a metric of step `stop_at` was
/// told (0: never).
inline Run run(const space::SearchSpace& space, const supernet::Dataset& data,
               const supernet::TrainConfig& config, const std::filesystem::path& folder,
               std::int64_t stop_at = 0, core::ProgressSink* progress = nullptr,
               const supernet::StartWeights* start = nullptr) {
  Run found;
  supernet::TrainContext context;
  context.seed = 3;
  context.start = start;
  context.threads = 2;
  context.checkpoint_folder = folder;
  context.input_hash = "inputs";
  context.machine = "LibTorch 1.13.1 on this one";
  context.progress = progress;
  context.on_metric = [&](const supernet::TrainMetric& metric) {
    found.metrics[fmt::format("{}/{}/{}", metric.phase, metric.step, metric.name)] = metric.value;
    if (stop_at > 0 && metric.step == stop_at) core::request_stop(true);
  };
  context.on_checkpoint = [&](const supernet::CheckpointInfo& info) {
    found.finished.push_back(info.phase);
  };
  try {
    found.last = supernet::train(space, data, config, context);
  } catch (const Interrupted&) {
    core::request_stop(false);
  }
  return found;
}

inline void check_same_weights(const std::filesystem::path& a, const std::filesystem::path& b) {
  const formats::TensorFile first = formats::read_tensor_file(a);
  const formats::TensorFile second = formats::read_tensor_file(b);
  REQUIRE(first.tensors.size() == second.tensors.size());
  for (std::size_t i = 0; i < first.tensors.size(); ++i) {
    CAPTURE(first.tensors[i].name);
    CHECK((first.tensors[i].data == second.tensors[i].data));
  }
}

}  // namespace omnifit::test
