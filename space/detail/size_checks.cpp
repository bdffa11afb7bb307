#include "space/detail/size_checks.hpp"

#include "space/costs.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"

#include <algorithm>
#include <numeric>

namespace omnifit::space::detail {

namespace {

int num_blocks(const SearchSpace& space) {
  const auto& stages = space.stages();
  // Depths are bounded, so that the sum of as many as are looked at cannot overflow.
  int total = 0;
  for (std::size_t i = 0; i < stages.size() && total <= kMaxBlocks; ++i) {
    total += stages[i].max_depth();
  }
  return total;
}

/// Every parameter at every pixel of its unit's input: never less than the largest network takes.
double macs_bound(const std::vector<Slot>& slots) {
  double bound = 0.0;
  for (const Slot& slot : slots) {
    const double px = input_shape(slot.largest).px;
    bound += static_cast<double>(params_count(slot.largest)) * px * px;
  }
  return bound;
}

/// Combinations of the genes that a slot depends on, over all slots.
double num_units(const SearchSpace& space, const std::vector<Slot>& slots) {
  return std::accumulate(slots.begin(), slots.end(), 0.0, [&](double total, const Slot& slot) {
    double product = 1.0;
    for (const int gene : slot.genes) {
      product *= static_cast<double>(space.genes()[static_cast<std::size_t>(gene)].choices.size());
    }
    return total + product;
  });
}

}  // namespace

void check_size(const SearchSpace& space, const SourceLocation& where, const std::string& key) {
  if (num_blocks(space) > kMaxBlocks) {
    throw ConfigError(
        where, fmt::format("{}: the network has more than the {} blocks allowed", key, kMaxBlocks));
  }
  const std::vector<Slot> all =
      slots(space, {.in_channels = kMaxInChannels, .num_classes = kMaxClasses});
  if (const double bound = macs_bound(all); bound > kMaxMacs) {
    throw ConfigError(
        where, fmt::format("{}: the largest network may take {:.1e} multiply-accumulates, at most "
                           "{:.0e} are allowed; use smaller widths, kernels or images",
                           key, bound, kMaxMacs));
  }
  if (const double count = num_units(space, all); count > static_cast<double>(kMaxUnits)) {
    throw ConfigError(
        where, fmt::format("{}: the choices combine to {:.2g} blocks and layers of their own, at "
                           "most {} are allowed; use fewer choices per block",
                           key, count, kMaxUnits));
  }
}

}  // namespace omnifit::space::detail
