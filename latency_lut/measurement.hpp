#pragma once

#include "latency_lut/layer_timer.hpp"

#include <optional>
#include <span>
#include <variant>

namespace omnifit::latency {

/// A measured latency, milliseconds per run at the protocol's batch size. Always the median, with
/// its spread: means follow outliers.
///
/// It may be the best of several timings at different times (rounds): whatever disturbs a machine
/// makes it slower, and for longer than one timing lasts.
struct Measurement {
  double median_ms = 0.0;
  double p10_ms = 0.0;
  double p90_ms = 0.0;
  int n = 0;                                       ///< samples of the best timing
  int rounds = 1;                                  ///< timings
  std::optional<double> second_ms = std::nullopt;  ///< median of the second best undisturbed one
  friend bool operator==(const Measurement&, const Measurement&) = default;
};

/// What is stored: a number or the reason why there is none.
using MeasurementResult = std::variant<Measurement, MeasurementFailure>;

/// The best of what was known and one more timing. Only an undisturbed timing, or the best before
/// it, becomes the second best.
Measurement best_of(const Measurement& known, const Measurement& timing, bool disturbed);

/// Condenses samples. No samples, or one that is NaN, infinite, zero or negative, is a failure.
MeasurementResult summarise(const TimerResult& result);

/// Quantile in [0, 1] of ascending values, linear between neighbours. @pre not empty
double quantile(std::span<const double> ascending, double q);

}  // namespace omnifit::latency
