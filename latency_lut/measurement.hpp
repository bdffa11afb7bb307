#pragma once

#include "latency_lut/layer_timer.hpp"

#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace omnifit::latency {

/// One timing of a unit or network: the median of its samples and their spread, milliseconds per
/// run at the protocol's batch size. Medians, because means follow outliers.
struct Timing {
  double median_ms = 0.0;
  double p10_ms = 0.0;
  double p90_ms = 0.0;
  int n = 0;               ///< samples
  bool disturbed = false;  ///< the machine was, or may have been, slower than usual meanwhile
  friend bool operator==(const Timing&, const Timing&) = default;
};

/// A measured latency: of several timings at different times (rounds) the one that counts, and all
/// of them.
///
/// Whatever disturbs a machine makes it slower, and for longer than one timing lasts; so the slow
/// ones must not count. Where the buffers of a network happen to lie makes it slower or faster,
/// anew in every timing; so the fastest one must not count either. What counts is the timing that
/// as many beat as make up a quarter of the undisturbed ones (none of up to two, one of three to
/// six).
struct Measurement {
  double median_ms = 0.0;  ///< of the timing that counts, as the next three
  double p10_ms = 0.0;
  double p90_ms = 0.0;
  int n = 0;
  int rounds = 1;               ///< timings, those that failed among them
  std::vector<Timing> timings;  ///< in the order in which they were taken, not empty
  friend bool operator==(const Measurement&, const Measurement&) = default;
};

/// What is stored: a number or the reason why there is none.
using MeasurementResult = std::variant<Measurement, MeasurementFailure>;

/// A measurement of these timings. @pre not empty
Measurement measurement_of(std::vector<Timing> timings);

/// By how much the timing that counts is slower than the fastest, as a ratio; nullopt with fewer
/// than `at_least` undisturbed timings.
std::optional<double> disagreement(const Measurement& measurement, int at_least);

/// Condenses samples. No samples, or one that is NaN, infinite, zero or negative, is a failure.
MeasurementResult summarise(const TimerResult& result);

/// Quantile in [0, 1] of ascending values, linear between neighbours. @pre not empty
double quantile(std::span<const double> ascending, double q);

}  // namespace omnifit::latency
