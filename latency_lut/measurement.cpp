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
  std::vector<Timing> fastest_first = timings;
  std::stable_sort(fastest_first.begin(), fastest_first.end(),
                   [](const Timing& a, const Timing& b) { return a.median_ms < b.median_ms; });
  const Timing& chosen = fastest_first[(num_undisturbed(timings) + 1) / 4];
  const auto rounds = static_cast<int>(timings.size());
  return {chosen.median_ms, chosen.p10_ms, chosen.p90_ms, chosen.n, rounds, std::move(timings)};
}

std::optional<double> disagreement(const Measurement& measurement, int at_least) {
  if (num_undisturbed(measurement.timings) < static_cast<std::size_t>(at_least)) {
    return std::nullopt;
  }
  double fastest_ms = measurement.median_ms;
  for (const Timing& timing : measurement.timings) {
    fastest_ms = std::min(fastest_ms, timing.median_ms);
  }
  return measurement.median_ms / fastest_ms - 1.0;
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
