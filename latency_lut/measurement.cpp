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

bool has_reference(const Timing& timing) { return timing.reference_ms > 0.0; }

std::size_t num_pairs(const std::vector<Timing>& timings) {
  return static_cast<std::size_t>(std::ranges::count_if(timings, has_reference));
}

double ratio(const Timing& timing) { return timing.median_ms / timing.reference_ms; }

/// The timings with a reference that count, ascending by their ratio to it. @pre there are any
std::vector<Timing> counted_pairs(std::vector<Timing> timings) {
  std::erase_if(timings, [](const Timing& timing) { return !has_reference(timing); });
  std::stable_sort(timings.begin(), timings.end(),
                   [](const Timing& a, const Timing& b) { return ratio(a) < ratio(b); });
  const auto cut = static_cast<std::ptrdiff_t>(timings.size() / 4);
  return {timings.begin() + cut, timings.end() - cut};
}

/// As if the machine had run as usual.
Timing restated(const Timing& timing, double usual_reference_ms) {
  const double factor = usual_reference_ms / timing.reference_ms;
  return {.median_ms = timing.median_ms * factor,
          .p10_ms = timing.p10_ms * factor,
          .p90_ms = timing.p90_ms * factor,
          .n = timing.n};
}

/// Those of the timings without a reference that count, the fastest first.
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

/// The first time that cannot be one.
std::optional<double> impossible_time(const Samples& samples) {
  for (const std::vector<double>* times_ms : {&samples.run_ms, &samples.reference_ms}) {
    for (const double value : *times_ms) {
      if (!std::isfinite(value) || value <= 0.0) return value;
    }
  }
  return std::nullopt;
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

double usual_reference_ms(std::span<const double> ascending_ms) {
  constexpr double kUsual = 0.25;
  return ascending_ms.empty() ? 0.0 : quantile(ascending_ms, kUsual);
}

Measurement measurement_of(std::vector<Timing> timings, double usual_reference_ms) {
  OMNIFIT_CHECK(!timings.empty(), "a measurement needs a timing");
  Measurement measurement{.rounds = static_cast<int>(timings.size()), .timings = {}};
  std::vector<Timing> counted;
  if (usual_reference_ms > 0.0 && num_pairs(timings) > 0) {
    for (const Timing& pair : counted_pairs(timings)) {
      counted.push_back(restated(pair, usual_reference_ms));
    }
  } else {
    counted = counted_timings(timings);
  }
  measurement.median_ms = mean(counted, &Timing::median_ms);
  measurement.p10_ms = mean(counted, &Timing::p10_ms);
  measurement.p90_ms = mean(counted, &Timing::p90_ms);
  for (const Timing& timing : counted) measurement.n += timing.n;
  measurement.timings = std::move(timings);
  return measurement;
}

std::optional<double> disagreement(const Measurement& measurement, int at_least) {
  const auto enough = static_cast<std::size_t>(at_least);
  if (const std::size_t pairs = num_pairs(measurement.timings); pairs > 0) {
    if (pairs < enough) return std::nullopt;
    const std::vector<Timing> counted = counted_pairs(measurement.timings);
    return ratio(counted.back()) / ratio(counted.front()) - 1.0;
  }
  if (num_undisturbed(measurement.timings) < enough) return std::nullopt;
  const std::vector<Timing> counted = counted_timings(measurement.timings);
  return counted.back().median_ms / counted.front().median_ms - 1.0;
}

MeasurementResult summarise(const TimerResult& result) {
  if (const auto* failure = std::get_if<MeasurementFailure>(&result)) return *failure;
  const auto& samples = std::get<Samples>(result);
  if (samples.run_ms.empty()) return MeasurementFailure{"the timer returned no samples"};
  if (!samples.reference_ms.empty() && samples.reference_ms.size() != samples.run_ms.size()) {
    return MeasurementFailure{
        fmt::format("the timer returned {} and {} times, of the runs and of the reference",
                    samples.run_ms.size(), samples.reference_ms.size())};
  }
  if (const auto wrong = impossible_time(samples)) {
    return MeasurementFailure{fmt::format("the timer returned a time of {} ms", *wrong)};
  }
  std::vector<double> sorted = samples.run_ms;
  std::ranges::sort(sorted);
  Timing timing{quantile(sorted, 0.5), quantile(sorted, 0.1), quantile(sorted, 0.9),
                static_cast<int>(sorted.size()), samples.disturbed};
  if (!samples.reference_ms.empty()) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < samples.run_ms.size(); ++i) {
      ratios.push_back(samples.run_ms[i] / samples.reference_ms[i]);
    }
    std::ranges::sort(ratios);
    timing.reference_ms = timing.median_ms / quantile(ratios, 0.5);
  }
  return measurement_of({timing});
}

}  // namespace omnifit::latency
