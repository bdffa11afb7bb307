#pragma once

#include "latency_lut/layer_timer.hpp"

#include <span>
#include <variant>

namespace omnifit::latency {

/// A measured latency, milliseconds per run at the protocol's batch size. Always the median, with
/// its spread: means follow outliers.
struct Measurement {
  double median_ms = 0.0;
  double p10_ms = 0.0;
  double p90_ms = 0.0;
  int n = 0;  ///< samples
  friend bool operator==(const Measurement&, const Measurement&) = default;
};

/// What is stored: a number or the reason why there is none.
using MeasurementResult = std::variant<Measurement, MeasurementFailure>;

/// Condenses samples. No samples, or one that is NaN, infinite, zero or negative, is a failure.
MeasurementResult summarise(const TimerResult& result);

/// Quantile in [0, 1] of ascending values, linear between neighbours. @pre not empty
double quantile(std::span<const double> ascending, double q);

}  // namespace omnifit::latency
