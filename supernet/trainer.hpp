#pragma once

#include "core/progress.hpp"
#include "space/search_space.hpp"
#include "supernet/data/dataset.hpp"
#include "supernet/start_weights.hpp"
#include "supernet/supernet.hpp"
#include "supernet/train_config.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace omnifit::supernet {

/// A number along the way: "train_loss", "train_top1", "learning_rate", "val_top1_largest",
/// "val_top1_smallest" …
struct TrainMetric {
  std::string phase;
  int phase_index = 0;
  double epoch = 0.0;     ///< since the start of the phase
  std::int64_t step = 0;  ///< since the start of training
  std::string name;
  double value = 0.0;
};

struct CheckpointInfo {
  std::filesystem::path file;
  std::string sha256;
  std::uint64_t size_bytes = 0;
  std::string phase;
  int phase_index = 0;
  std::int64_t step = 0;
  bool final = false;
};

/// Where training runs and whom it tells. Callbacks run on the calling thread.
struct TrainContext {
  std::uint64_t seed = 1;
  /// Weights to begin with, for the data's task; moved to `device`. Null: random ones.
  const StartWeights* start = nullptr;
  int threads = 1;             ///< threads of the training kernels; part of the result
  std::string device = "cpu";  ///< "cpu" or "cuda"
  /// Created; holds `progress-0.safetensors` and `progress-1.safetensors`, written in turn, and
  /// `<phase>.safetensors` at each phase's end; `imported.safetensors` of weights used as they are.
  std::filesystem::path checkpoint_folder;
  std::string input_hash;  ///< stored in every checkpoint; one of another hash is ignored, never
                           ///< resumed from
  /// What computes, e.g. "LibTorch 1.13.1 on AMD EPYC, AVX-512"; stored in every checkpoint. Going
  /// on elsewhere is allowed and told, because the result is then not that of an undisturbed run.
  std::string machine;
  core::ProgressSink* progress = nullptr;
  /// For every metric of a step that ran. Steps after the last checkpoint run again after a kill
  /// and give the same numbers: storing must be idempotent.
  std::function<void(const TrainMetric&)> on_metric;
  /// At the end of every phase, also for phases that an earlier run finished.
  std::function<void(const CheckpointInfo&)> on_checkpoint;
};

/// Progressive shrinking: the full network first, then each phase with distillation from the full
/// network's frozen copy.
///
/// With start weights the first phase begins with those. Where it trains more than the full network
/// and the weights have the data's classes, their largest subnet is the full network that all
/// phases learn from, as in the reference, whose kernel phase begins with a trained full network.
/// Without phases they are used as they are: they become the final checkpoint, of a phase
/// "imported" and the same for any data and machine, and their subnets are validated once.
///
/// Resumes from the newest checkpoint in `checkpoint_folder` that is whole and of the same
/// `input_hash`. On CPU with the same thread count, a run that was killed and resumed gives
/// bit-identical weights. Safe point after every step: checks core::check_interrupt() after writing
/// a checkpoint. @return the final checkpoint
/// @throws GoalError if the loss becomes NaN or infinite (says at which step and what to lower).
CheckpointInfo train(const space::SearchSpace& space, const Dataset& data,
                     const TrainConfig& config, const TrainContext& context);

/// The supernet of a checkpoint. @throws DataError: torn, wrong hash, another space or task,
/// missing, extra or misshapen tensors (all listed).
Supernet load_supernet(const std::filesystem::path& checkpoint, const space::SearchSpace& space,
                       space::TaskIo io);
/// The same for the task that the checkpoint is for.
Supernet load_supernet(const std::filesystem::path& checkpoint, const space::SearchSpace& space);

}  // namespace omnifit::supernet
