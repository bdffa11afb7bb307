#include "supernet/schedule.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace omnifit::supernet {

PhaseSchedule::PhaseSchedule(const PhaseConfig& phase, std::int64_t num_images, int batch_size)
    : peak_rate(phase.learning_rate) {
  OMNIFIT_CHECK(num_images > 0, "schedule without images");
  // An incomplete last batch is left out; which images that hits changes with every epoch's order.
  steps_per_epoch = std::max<std::int64_t>(1, num_images / batch_size);
  const auto whole_steps = [&](double epochs) {
    return static_cast<std::int64_t>(std::llround(epochs * static_cast<double>(steps_per_epoch)));
  };
  steps = std::max<std::int64_t>(1, whole_steps(phase.epochs));
  warmup_steps = std::min(whole_steps(phase.warmup_epochs), steps);
}

double PhaseSchedule::rate(std::int64_t step) const {
  if (step < warmup_steps) {
    return peak_rate * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  }
  const double progress =
      static_cast<double>(step - warmup_steps) / static_cast<double>(steps - warmup_steps);
  return 0.5 * peak_rate * (1.0 + std::cos(std::numbers::pi * progress));
}

space::Subspace open_subspace(const space::SearchSpace& space, const PhaseConfig& phase) {
  space::Subspace subspace = space::Subspace::all(space);
  subspace.keep_largest(space, space::Axis::kResolution, phase.open_resolutions);
  subspace.keep_largest(space, space::Axis::kKernelSize, phase.open_kernel_sizes);
  subspace.keep_largest(space, space::Axis::kDepth, phase.open_depths);
  subspace.keep_largest(space, space::Axis::kExpandRatio, phase.open_expand_ratios);
  subspace.keep_largest(space, space::Axis::kWidthMult, phase.open_width_mults);
  return subspace;
}

space::Arch corner(const space::SearchSpace& space, const space::Subspace& subspace, Corner which) {
  std::vector<std::uint8_t> choices;
  for (const auto& open : subspace.open) {
    switch (which) {
      case Corner::kLargest:
        choices.push_back(open.back());
        break;
      case Corner::kMiddle:
        choices.push_back(open[open.size() / 2]);
        break;
      case Corner::kSmallest:
        choices.push_back(open.front());
        break;
    }
  }
  return {space, choices};
}

std::vector<space::Arch> step_subnets(const space::SearchSpace& space,
                                      const space::Subspace& subspace, const PhaseConfig& phase,
                                      std::uint64_t seed, std::int64_t step) {
  std::vector<space::Arch> archs;
  if (phase.sandwich) archs.push_back(corner(space, subspace, Corner::kSmallest));
  if (phase.sandwich && phase.subnets_per_step > 2) {
    archs.push_back(corner(space, subspace, Corner::kLargest));
  }
  while (static_cast<int>(archs.size()) < phase.subnets_per_step) {
    core::Rng rng = core::Rng::stream(seed, core::Purpose::kSubnet,
                                      {static_cast<std::uint64_t>(step), archs.size()});
    archs.push_back(space::sample(space, subspace, rng));
  }
  return archs;
}

bool trains_full_network(const space::SearchSpace& space, const PhaseConfig& phase) {
  const space::Subspace subspace = open_subspace(space, phase);
  for (std::size_t gene = 0; gene < subspace.open.size(); ++gene) {
    if (space.genes()[gene].axis != space::Axis::kResolution && subspace.open[gene].size() > 1) {
      return false;
    }
  }
  return true;
}

int open_expand_choices(const space::SearchSpace& space, int open) {
  std::size_t choices = 1;
  for (const space::StageConfig& stage : space.stages()) {
    choices = std::max(choices, stage.expand_ratios.size());
  }
  const int all = static_cast<int>(choices);
  return open == 0 ? all : std::min(open, all);
}

int open_expand_choices(const space::SearchSpace& space, const PhaseConfig& phase) {
  return open_expand_choices(space, phase.open_expand_ratios);
}

}  // namespace omnifit::supernet
