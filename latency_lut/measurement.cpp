#include "latency_lut/measurement.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace omnifit::latency {

double quantile(std::span<const double> ascending, double q) {
  OMNIFIT_CHECK(!ascending.empty() && q >= 0.0 && q <= 1.0, "quantile {} of {} values", q,
                ascending.size());
  const double position = q * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, ascending.size() - 1);
  const double weight = position - static_cast<double>(below);
  return ascending[below] + weight * (ascending[above] - ascending[below]);
}

Measurement best_of(const Measurement& known, const Measurement& timing, bool disturbed) {
  const bool improved = timing.median_ms < known.median_ms;
  Measurement best = improved ? timing : known;
  best.rounds = known.rounds + timing.rounds;
  best.second_ms = known.second_ms;
  if (!disturbed) {
    const double other_ms = improved ? known.median_ms : timing.median_ms;
    best.second_ms = std::min(best.second_ms.value_or(other_ms), other_ms);
  }
  return best;
}

MeasurementResult summarise(const TimerResult& result) {
  if (const auto* failure = std::get_if<MeasurementFailure>(&result)) return *failure;
  std::vector<double> sorted = std::get<Samples>(result).run_ms;
  if (sorted.empty()) return MeasurementFailure{"the timer returned no samples"};
  for (double value : sorted) {
    if (!std::isfinite(value) || value <= 0.0) {
      return MeasurementFailure{fmt::format("the timer returned a time of {} ms", value)};
    }
  }
  std::sort(sorted.begin(), sorted.end());
  return Measurement{quantile(sorted, 0.5),
                     quantile(sorted, 0.1),
                     quantile(sorted, 0.9),
                     static_cast<int>(sorted.size()),
                     1,
                     std::nullopt};
}

}  // namespace omnifit::latency
