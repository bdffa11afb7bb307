#pragma once

#include "space/sampling.hpp"
#include "supernet/train_config.hpp"

#include <cstdint>
#include <vector>

namespace omnifit::supernet {

/// How many steps a phase has and at which rate each runs.
struct PhaseSchedule {
  std::int64_t steps = 1;
  std::int64_t warmup_steps = 0;
  std::int64_t steps_per_epoch = 1;
  double peak_rate = 0.1;

  PhaseSchedule(const PhaseConfig& phase, std::int64_t num_images, int batch_size);
  /// Linear to the peak during warm-up, then a cosine to zero. @pre 0 <= step < steps
  [[nodiscard]] double rate(std::int64_t step) const;
};

/// The part of the space that a phase trains.
space::Subspace open_subspace(const space::SearchSpace& space, const PhaseConfig& phase);

/// The subspace's arch with the largest, middle or smallest open choice of every gene.
enum class Corner { kLargest, kMiddle, kSmallest };
space::Arch corner(const space::SearchSpace& space, const space::Subspace& subspace, Corner which);

/// The subnets of one training step, drawn from streams keyed by (step, position in the step). With
/// `phase.sandwich` the smallest open subnet comes first, and the largest second if there are more
/// than two.
std::vector<space::Arch> step_subnets(const space::SearchSpace& space,
                                      const space::Subspace& subspace, const PhaseConfig& phase,
                                      std::uint64_t seed, std::int64_t step);

/// Whether a phase trains the largest subnet alone, at whatever resolutions.
bool trains_full_network(const space::SearchSpace& space, const PhaseConfig& phase);

/// Expand choices a phase trains, of the axis's longest list; `open` as in PhaseConfig.
int open_expand_choices(const space::SearchSpace& space, int open);
int open_expand_choices(const space::SearchSpace& space, const PhaseConfig& phase);

}  // namespace omnifit::supernet
