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
  /// What the reference network took next to it: `median_ms` divided by the median of the samples'
  /// ratios to it; 0 where it was not run.
  double reference_ms = 0.0;
  friend bool operator==(const Timing&, const Timing&) = default;
};

/// A measured latency: the mean of those of several timings at different times (rounds) that count,
/// and all timings.
///
/// Whatever disturbs a machine makes it slower, and for longer than one timing lasts; so the slow
/// ones must not count. Where the buffers of a network happen to lie makes it slower or faster,
/// anew in every timing; so no single one may count. What counts is the mean of the fastest, as
/// many as half of the undisturbed timings and a quarter of the others (at least one: of up to two
/// timings the faster, of five undisturbed ones three).
///
/// Of timings in turns with a reference network what counts is the mean of their ratios to it, but
/// the highest and the lowest quarter: what disturbs a machine leaves the ratio as it is. They
/// stand for milliseconds on a machine on which the reference takes as long as it usually does.
struct Measurement {
  double median_ms = 0.0;  ///< mean over the timings that count, as the next two
  double p10_ms = 0.0;
  double p90_ms = 0.0;
  int n = 0;                    ///< samples of the timings that count
  int rounds = 1;               ///< timings, those that failed among them
  std::vector<Timing> timings;  ///< in the order in which they were taken, not empty
  friend bool operator==(const Measurement&, const Measurement&) = default;
};

/// What is stored: a number or the reason why there is none.
using MeasurementResult = std::variant<Measurement, MeasurementFailure>;

/// What a reference network takes on a machine that little disturbs: the fastest quarter of its
/// ascending times. 0 if there are none.
double usual_reference_ms(std::span<const double> ascending_ms);

/// A measurement of these timings. With `usual_reference_ms` > 0 those with a reference count
/// alone, if there are any. @pre not empty
Measurement measurement_of(std::vector<Timing> timings, double usual_reference_ms = 0.0);

/// By how much the slowest of the timings that count is slower than the fastest, as a ratio;
/// nullopt with fewer than `at_least` undisturbed timings. Of timings with a reference, whose
/// disturbances count little, the same of their ratios.
std::optional<double> disagreement(const Measurement& measurement, int at_least);

/// Condenses samples. No samples, or one that is NaN, infinite, zero or negative, is a failure.
MeasurementResult summarise(const TimerResult& result);

/// Quantile in [0, 1] of ascending values, linear between neighbours. @pre not empty
double quantile(std::span<const double> ascending, double q);

}  // namespace omnifit::latency
