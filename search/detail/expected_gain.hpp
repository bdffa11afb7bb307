#pragma once

#include "search/evaluator.hpp"

#include <span>
#include <vector>

namespace omnifit::search::detail {

/// Expected value of max(0, level - y) for a normal y; the value itself where the deviation is 0.
double expected_shortfall(double level, double mean, double deviation);

/// Chance that a normal y is at most `limit`; 0 or 1 where the deviation is 0.
double chance_below(double limit, double mean, double deviation);

/// How much hypervolume a point that is known only roughly can be expected to add to a front. All
/// coordinates are to be minimised; those of a point are independent normals.
class ExpectedGain {
 public:
  /// @pre the rows have as many coordinates as the reference, which is finite
  ExpectedGain(const MetricTable& points, std::span<const double> reference);

  /// Adds a point to the front.
  void add(std::span<const double> point);
  /// One coordinate: expected improvement; two: exact; more: the gain of the mean.
  [[nodiscard]] double gain(std::span<const double> mean, std::span<const double> deviation) const;

 private:
  [[nodiscard]] double gain_2d(std::span<const double> mean,
                               std::span<const double> deviation) const;
  [[nodiscard]] double gain_of_mean(std::span<const double> mean) const;

  std::vector<double> reference_;
  /// Mutually non-dominated, inside the reference; two coordinates: ascending by the second.
  std::vector<std::vector<double>> front_;
};

}  // namespace omnifit::search::detail
