#pragma once

#include "core/fields.hpp"

#include <string>
#include <vector>

namespace omnifit::supernet {

/// One phase of progressive shrinking. `open_*`: how many of the largest choices of that axis are
/// trained; 0 = all of them, 1 = only the largest.
struct PhaseConfig {
  std::string name = "full";
  double epochs = 1.0;         ///< passes over the training split, > 0; fractions allowed
  double warmup_epochs = 0.0;  ///< linear warm-up inside `epochs`
  double learning_rate = 0.1;  ///< peak; cosine to zero
  int subnets_per_step = 1;    ///< gradients add up over that many sampled subnets
  int open_resolutions = 0;
  int open_kernel_sizes = 1;
  int open_depths = 1;
  int open_expand_ratios = 1;
  int open_width_mults = 1;
  double distill_ratio = 1.0;  ///< weight of the distillation loss from the full network; a first
                               ///< phase that has none to learn from ignores it (see train())
  bool sandwich = false;  ///< the smallest open subnet is always one of the step's subnets (and the
                          ///< largest, if more than two)
  void fields(core::Fields& f);
  friend bool operator==(const PhaseConfig&, const PhaseConfig&) = default;
};

/// The `train` section of a job.
struct TrainConfig {
  int batch_size = 128;
  double momentum = 0.9;       ///< Nesterov
  double weight_decay = 3e-5;  ///< not on batch norm and biases
  double label_smoothing = 0.1;
  double max_shift_ratio =
      0.125;         ///< augmentation: random translation up to this share of the side, zero-padded
  bool flip = true;  ///< augmentation: random horizontal flip
  int calibration_images =
      1000;  ///< training images for batch-norm statistics before an evaluation
  double checkpoint_every_s = 30;  ///< wall-clock seconds between checkpoints inside a phase
  double validate_every_epochs = 1.0;
  /// File whose weights training begins with: a checkpoint, or a supernet of the reference (see
  /// start_weights.hpp). Relative to the job file (resolved by the caller). Empty: random weights.
  std::string start_from;
  /// How many of the largest expand ratios those were trained with; 0 = all. Where the first phase
  /// opens more, channels are sorted before it.
  int start_expand_ratios = 0;
  /// Default: full, kernel, depth, expand. None: the weights of start_from are used as they are.
  std::vector<PhaseConfig> phases;
  TrainConfig();
  void fields(core::Fields& f);
  friend bool operator==(const TrainConfig&, const TrainConfig&) = default;
};

}  // namespace omnifit::supernet
