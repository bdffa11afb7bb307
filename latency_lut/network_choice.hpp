#pragma once

#include "space/additive_cost.hpp"
#include "space/search_space.hpp"

#include <cstdint>
#include <vector>

namespace omnifit::latency {

/// Whole networks to measure, all of them different.
struct NetworkChoice {
  std::vector<space::Arch> correction;  ///< the correction is fitted on these
  std::vector<space::Arch> check;       ///< and judged on these
};

/// For the correction, draws random archs over the whole range of costs and takes those whose costs
/// lie most evenly between the cheapest and the dearest arch of the space, which are the first two
/// (if there is room for both). For the check, plain random archs of the space: what a stranger
/// would try. Archs without a cost are left out. A space with too few archs gives fewer, in
/// proportion.
/// @throws StateError if no arch has a cost.
NetworkChoice choose_networks(const space::SearchSpace& space, const space::AdditiveCost& cost,
                              int num_correction, int num_check, std::uint64_t seed);

/// The network in the middle of every choice of the space, which others are timed in turns with:
/// the same for all profiles of a space, so that their ratios to it compare.
space::NetworkPlan reference_network(const space::SearchSpace& space, const space::TaskIo& io);

}  // namespace omnifit::latency
