#pragma once

#include "search/evaluator.hpp"

#include <span>

namespace omnifit::search {

/// Volume of what the rows dominate, bounded by `reference` (worse than everything of interest);
/// coordinates are to be minimised. Exact, for any number of coordinates ≥ 1: sweeps over two and
/// three of them, O(n log n) and O(n · front) at worst; from four on the slicing algorithm of the
/// Walking Fish Group (While, Bradstreet, Barone, 2012), whose worst case grows exponentially with
/// the number of coordinates.
///
/// Rows that do not dominate the reference in every coordinate, and rows with a NaN, add nothing.
/// Thread-safe.
/// @throws std::invalid_argument if the reference is not finite or has another number of
/// coordinates than the rows; a coordinate of minus infinity gives infinity.
double hypervolume(const MetricTable& points, std::span<const double> reference);

}  // namespace omnifit::search
