#pragma once

#include "search/evaluator.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace omnifit::search {

/// All functions take rows of coordinates that are to be minimised. A row with a NaN is on no
/// front.

/// Whether `a` is nowhere worse than `b` and somewhere better. Rows with a NaN dominate nothing and
/// are dominated by nothing.
bool dominates(std::span<const double> a, std::span<const double> b);

/// Rows that no other row dominates, ascending by index. Equal rows do not dominate each other: all
/// of them are kept. Two coordinates: O(n log n); more: O(n · front).
std::vector<std::size_t> non_dominated(const MetricTable& points);

/// Front number of every row: 0 for non_dominated, 1 for non_dominated of what is left, …; rows
/// with a NaN come last. The efficient non-dominated sort (Zhang et al., 2015): two coordinates
/// O(n log n), more O(n · front · log fronts) at worst.
std::vector<int> non_dominated_ranks(const MetricTable& points);

/// Crowding distance (Deb et al., NSGA-II, 2002) of the rows `front` among themselves, in the order
/// of `front`: the sum over the coordinates of the gap between both neighbours over the range;
/// infinite at the ends, 0 for a constant coordinate.
std::vector<double> crowding_distances(const MetricTable& points,
                                       std::span<const std::size_t> front);

}  // namespace omnifit::search
