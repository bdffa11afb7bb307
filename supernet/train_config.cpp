#include "supernet/train_config.hpp"

#include <algorithm>
#include <set>

namespace omnifit::supernet {
namespace {

constexpr int kMaxChoices = 64;

/// Phase names become file names.
bool is_file_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && name != "progress" &&
         std::ranges::all_of(name, [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

PhaseConfig phase(std::string name, double epochs, double learning_rate, int subnets_per_step) {
  PhaseConfig config;
  config.name = std::move(name);
  config.epochs = epochs;
  config.learning_rate = learning_rate;
  config.subnets_per_step = subnets_per_step;
  return config;
}

}  // namespace

void PhaseConfig::fields(core::Fields& f) {
  f.text("name", name, "letters, digits, '_' and '-'; also the name of the phase's checkpoint",
         /*not_empty=*/true);
  f.real("epochs", epochs, {0.0, 1e6, true}, "passes over the training images; fractions allowed");
  f.real("warmup_epochs", warmup_epochs, {0.0, 1e6}, "linear warm-up, part of epochs");
  f.real("learning_rate", learning_rate, {0.0, 100.0, true}, "peak; falls to zero by a cosine");
  f.integer("subnets_per_step", subnets_per_step, {1, 64},
            "sampled subnets whose gradients add up in a step");
  f.integer("open_resolutions", open_resolutions, {0, kMaxChoices},
            "how many of the largest resolutions are trained; 0 = all");
  f.integer("open_kernel_sizes", open_kernel_sizes, {0, kMaxChoices},
            "how many of the largest kernel sizes are trained; 0 = all");
  f.integer("open_depths", open_depths, {0, kMaxChoices},
            "how many of the largest depths are trained; 0 = all");
  f.integer("open_expand_ratios", open_expand_ratios, {0, kMaxChoices},
            "how many of the largest expand ratios are trained; 0 = all");
  // Written only where it is set: mbconv jobs have no use for it and keep their hash.
  if (f.reading() || open_width_mults != PhaseConfig{}.open_width_mults) {
    f.integer("open_width_mults", open_width_mults, {0, kMaxChoices},
              "how many of the largest width multipliers are trained; 0 = all");
  }
  f.real("distill_ratio", distill_ratio, {0.0, 100.0},
         "weight of the distillation from the full network; the first phase has none, unless "
         "start_from gives it");
  f.boolean("sandwich", sandwich,
            "always train the smallest open subnet, and the largest of three");
  if (!f.reading()) return;
  if (!is_file_name(name)) {
    f.error("name", fmt::format("'{}' is not a phase name; allowed: letters, digits, '_' and '-' "
                                "(not 'progress')",
                                name));
  }
  if (warmup_epochs > epochs) {
    f.error("warmup_epochs",
            fmt::format("{} is more than the phase's epochs ({})", warmup_epochs, epochs));
  }
}

TrainConfig::TrainConfig() {
  PhaseConfig full = phase("full", 8.0, 0.2, 1);
  full.warmup_epochs = 0.5;
  PhaseConfig kernel = phase("kernel", 2.0, 0.06, 2);
  kernel.open_kernel_sizes = 0;
  PhaseConfig depth = phase("depth", 3.0, 0.06, 2);
  depth.open_kernel_sizes = 0;
  depth.open_depths = 0;
  PhaseConfig expand = phase("expand", 5.0, 0.06, 2);
  expand.open_kernel_sizes = 0;
  expand.open_depths = 0;
  expand.open_expand_ratios = 0;
  expand.open_width_mults = 0;
  expand.sandwich = true;
  phases = {full, kernel, depth, expand};
}

void TrainConfig::fields(core::Fields& f) {
  f.integer("batch_size", batch_size, {1, 65536}, "images per optimiser step");
  f.real("momentum", momentum, {0.0, 0.999}, "of Nesterov's method");
  f.real("weight_decay", weight_decay, {0.0, 1.0}, "not on batch norm and biases");
  f.real("label_smoothing", label_smoothing, {0.0, 0.9}, "share of the target spread over classes");
  f.real("max_shift_ratio", max_shift_ratio, {0.0, 0.5},
         "augmentation: random translation up to this share of the side");
  f.boolean("flip", flip, "augmentation: random horizontal flip");
  f.integer("calibration_images", calibration_images, {1, 1'000'000},
            "training images for batch-norm statistics before an evaluation");
  f.real("checkpoint_every_s", checkpoint_every_s, {0.0, 86400.0},
         "seconds between checkpoints inside a phase");
  f.real("validate_every_epochs", validate_every_epochs, {0.0, 1e6, true},
         "epochs between validations inside a phase; the end of a phase always validates");
  // Written only where they are set: jobs that begin with random weights keep their hash.
  if (f.reading() || f.explaining() || !start_from.empty()) {
    f.text("start_from", start_from,
           "weights to begin with, relative to this file: a checkpoint, or a supernet of the "
           "Once-for-All reference (PyTorch file); with 'phases: []' they are used as they are");
    f.integer("start_expand_ratios", start_expand_ratios, {0, kMaxChoices},
              "how many of the largest expand ratios start_from was trained with; 0 = all");
  }
  f.sections("phases", phases, "progressive shrinking: the first trains the full network");
  if (!f.reading()) return;
  if (phases.empty() && start_from.empty()) {
    f.error("phases", "needs at least one phase, or weights to use as they are in start_from");
  }
  if (start_from.empty() && start_expand_ratios != 0) {
    f.error("start_expand_ratios", "says how start_from was trained, which is not given");
  }
  std::set<std::string> names;
  for (const PhaseConfig& config : phases) {
    if (!names.insert(config.name).second) {
      f.error("phases", fmt::format("two phases are named '{}'", config.name));
    }
  }
}

}  // namespace omnifit::supernet
