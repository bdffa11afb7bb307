#pragma once

#include "latency_lut/layer_timer.hpp"
#include "latency_lut/pulse.hpp"

#include <functional>
#include <span>

namespace omnifit::latency {

/// The measuring loop every timer shares: warm-up, then samples until the median is known well
/// enough.
///
/// `run_ms(repeats)` runs the unit `repeats` times in a row and returns the milliseconds of all of
/// them together. The number of repeats is doubled until one sample lasts `min_sample_ms`, so that
/// the clock's resolution does not show. Samples are taken until the 95 % confidence interval of
/// their median is at most `target_rel_ci` of it wide, there are `max_samples` of them, or
/// `max_unit_s` is used up (with at least kFewestSamples taken even then). A time that is NaN,
/// infinite, negative (the clock moved back) or still zero at kMaxRepeats is a MeasurementFailure;
/// exceptions pass through.
///
/// With a `pulse` only the samples count that lie between two quiet ones (Protocol::quiet_ratio),
/// and of those the ones that are slower than the fastest tenth by at most Protocol::near_ratio; it
/// goes on until there are enough. Where the time limit leaves fewer than kFewestSamples between
/// quiet pulses, they are chosen from all samples and returned as disturbed.
TimerResult take_samples(const std::function<double(int repeats)>& run_ms, const Protocol& protocol,
                         Pulse* pulse = nullptr);

/// The same in turns with a reference network, one run of which `reference_run_ms(1)` times:
/// between any two samples, before the first and after the last. A sample's reference is the mean
/// of its two neighbours. Samples are taken until the interval of the median of their ratios is
/// narrow enough; all of them count. The time limit is of both together.
TimerResult take_paired_samples(const std::function<double(int repeats)>& run_ms,
                                const std::function<double(int repeats)>& reference_run_ms,
                                const Protocol& protocol);

/// Samples that are taken even where the time limit is already used up.
inline constexpr int kFewestSamples = 5;
/// Limit of the repeats inside one sample.
inline constexpr int kMaxRepeats = 1 << 20;

/// 95 % confidence interval of the median by order statistics, from ascending values:
/// distribution-free, so outliers above the median cost nothing. Fewer than six values have none:
/// the interval is then
/// (-infinity, infinity).
struct MedianInterval {
  double low = 0.0;
  double high = 0.0;
};
MedianInterval median_interval(std::span<const double> ascending);

}  // namespace omnifit::latency
