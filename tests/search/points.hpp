#pragma once

#include "core/rng.hpp"
#include "search/evaluator.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace omnifit::test {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

inline search::MetricTable table_of(const std::vector<std::vector<double>>& rows) {
  search::MetricTable table(rows.size(), rows.empty() ? 2 : rows.front().size());
  for (std::size_t i = 0; i < rows.size(); ++i) std::ranges::copy(rows[i], table.row(i).begin());
  return table;
}

/// Few distinct values, so that ties and equal rows occur; now and then a NaN.
inline search::MetricTable random_points(std::uint64_t seed, std::size_t rows,
                                         std::size_t columns) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest, {rows, columns});
  search::MetricTable points(rows, columns);
  for (std::size_t i = 0; i < rows; ++i) {
    for (double& value : points.row(i))
      value = rng.bernoulli(0.02) ? kNan : static_cast<double>(rng.below(6));
  }
  return points;
}

}  // namespace omnifit::test
