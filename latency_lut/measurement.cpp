#include "latency_lut/measurement.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace omnifit::latency {
namespace {

std::size_t num_undisturbed(const std::vector<Timing>& timings) {
  return static_cast<std::size_t>(std::count_if(
      timings.begin(), timings.end(), [](const Timing& timing) { return !timing.disturbed; }));
}

/// The timings that count, the fastest first.
std::vector<Timing> counted_timings(std::vector<Timing> timings) {
  const std::size_t count = (num_undisturbed(timings) + timings.size() + 2) / 4;
  std::stable_sort(timings.begin(), timings.end(),
                   [](const Timing& a, const Timing& b) { return a.median_ms < b.median_ms; });
  timings.resize(std::max<std::size_t>(count, 1));
  return timings;
}

/// From the first value, so that the mean of equal values is that value to the last bit.
double mean(const std::vector<Timing>& timings, double Timing::*figure) {
  const double first = timings.front().*figure;
  double sum = 0.0;
  for (const Timing& timing : timings) sum += timing.*figure - first;
  return first + sum / static_cast<double>(timings.size());
}

}  // namespace

double quantile(std::span<const double> ascending, double q) {
  OMNIFIT_CHECK(!ascending.empty() && q >= 0.0 && q <= 1.0, "quantile {} of {} values", q,
                ascending.size());
  const double position = q * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, ascending.size() - 1);
  const double weight = position - static_cast<double>(below);
  return ascending[below] + weight * (ascending[above] - ascending[below]);
}

Measurement measurement_of(std::vector<Timing> timings) {
  OMNIFIT_CHECK(!timings.empty(), "a measurement needs a timing");
  Measurement measurement{.rounds = static_cast<int>(timings.size()), .timings = {}};
  const std::vector<Timing> counted = counted_timings(timings);
  measurement.median_ms = mean(counted, &Timing::median_ms);
  measurement.p10_ms = mean(counted, &Timing::p10_ms);
  measurement.p90_ms = mean(counted, &Timing::p90_ms);
  for (const Timing& timing : counted) measurement.n += timing.n;
  measurement.timings = std::move(timings);
  return measurement;
}

std::optional<double> disagreement(const Measurement& measurement, int at_least) {
  if (num_undisturbed(measurement.timings) < static_cast<std::size_t>(at_least)) {
    return std::nullopt;
  }
  const std::vector<Timing> counted = counted_timings(measurement.timings);
  return counted.back().median_ms / counted.front().median_ms - 1.0;
}

MeasurementResult summarise(const TimerResult& result) {
  if (const auto* failure = std::get_if<MeasurementFailure>(&result)) return *failure;
  const auto& samples = std::get<Samples>(result);
  std::vector<double> sorted = samples.run_ms;
  if (sorted.empty()) return MeasurementFailure{"the timer returned no samples"};
  for (double value : sorted) {
    if (!std::isfinite(value) || value <= 0.0) {
      return MeasurementFailure{fmt::format("the timer returned a time of {} ms", value)};
    }
  }
  std::sort(sorted.begin(), sorted.end());
  return measurement_of({{quantile(sorted, 0.5), quantile(sorted, 0.1), quantile(sorted, 0.9),
                          static_cast<int>(sorted.size()), samples.disturbed}});
}

}  // namespace omnifit::latency
