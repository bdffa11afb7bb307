#pragma once

#include <string>
#include <vector>

namespace omnifit::report {

/// Round positions inside an interval, a constant step of 1, 2 or 5 times a power of ten apart.
struct Ticks {
  std::vector<double> values;  ///< ascending; multiples of the step
  int decimals = 0;            ///< that tell neighbours apart

  /// The tick as text, every tick of an axis with the same number of decimals; thousands with a
  /// thin gap.
  [[nodiscard]] std::string text(double value) const;
};

/// At most `max_count` (≥ 2) ticks inside [low, high]. @pre low < high, both finite
Ticks nice_ticks(double low, double high, int max_count);

/// An interval of numbers, low < high.
struct Interval {
  double low = 0.0;
  double high = 1.0;
};

/// The interval that holds all finite values with a margin on both sides; a single value gets room
/// around it. `from_zero`: starts at 0 (values are then expected not to be negative). [0, 1]
/// without any finite value.
Interval padded_interval(const std::vector<double>& values, bool from_zero);

}  // namespace omnifit::report
