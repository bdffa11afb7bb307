#include "latency_lut/sampling.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace omnifit::latency {
namespace {

std::string runs(int count) { return count == 1 ? "1 run" : fmt::format("{} runs", count); }

/// Runs the unit and keeps account of the time used; remembers why a time was refused.
class Stopwatch {
 public:
  Stopwatch(const std::function<double(int)>& run_ms, double limit_ms)
      : run_ms_(run_ms), limit_ms_(limit_ms) {}

  /// Milliseconds of `repeats` runs, or nullopt if the time cannot be true.
  std::optional<double> run(int repeats) {
    const double total_ms = run_ms_(repeats);
    if (std::isfinite(total_ms) && total_ms >= 0.0) {
      used_ms_ += total_ms;
      return total_ms;
    }
    failure_ =
        total_ms < 0.0 && std::isfinite(total_ms)
            ? fmt::format("the clock moved back: {} took {} ms", runs(repeats), total_ms)
            : fmt::format("the time of {} is not a finite number: {}", runs(repeats), total_ms);
    return std::nullopt;
  }

  [[nodiscard]] double used_ms() const { return used_ms_; }
  [[nodiscard]] bool time_is_up() const { return used_ms_ >= limit_ms_; }
  [[nodiscard]] MeasurementFailure failure() const { return {failure_}; }

 private:
  const std::function<double(int)>& run_ms_;
  double limit_ms_;
  double used_ms_ = 0.0;
  std::string failure_;
};

MeasurementFailure zero_time(int repeats) {
  return {fmt::format("{} took 0 ms: the clock stands still", runs(repeats))};
}

/// Of ascending samples those near the fastest tenth, kFewestSamples at least. The same work takes
/// the same time unless something interferes, and what interferes with the memory shows in no
/// pulse.
std::vector<double> undisturbed(std::vector<double> ascending, double ratio) {
  const double fast = ascending[ascending.size() / 10];
  const auto end = std::ranges::upper_bound(ascending, (1.0 + ratio) * fast);
  const std::ptrdiff_t kept = std::max<std::ptrdiff_t>(end - ascending.begin(), kFewestSamples);
  if (kept < std::ssize(ascending)) ascending.erase(ascending.begin() + kept, ascending.end());
  return ascending;
}

bool narrow_enough(const std::vector<double>& sorted, double target_rel_ci) {
  const MedianInterval interval = median_interval(sorted);
  const double median = sorted[sorted.size() / 2];
  return interval.high - interval.low <= target_rel_ci * median;
}

/// Warms up, and finds how many repeats one sample needs.
std::variant<int, MeasurementFailure> find_repeats(Stopwatch& watch, const Protocol& protocol) {
  for (int i = 0; i < protocol.warmup_runs && !(i > 0 && watch.time_is_up()); ++i) {
    if (!watch.run(1)) return watch.failure();
  }
  for (int repeats = 1;; repeats *= 2) {
    const auto sample_ms = watch.run(repeats);
    if (!sample_ms) return watch.failure();
    const bool long_enough = *sample_ms > 0.0 && *sample_ms >= protocol.min_sample_ms;
    if (long_enough || (*sample_ms > 0.0 && watch.time_is_up())) return repeats;
    if (repeats < kMaxRepeats) continue;
    if (*sample_ms == 0.0) return zero_time(repeats);
    return repeats;
  }
}

/// One sample, milliseconds per run.
std::variant<double, MeasurementFailure> take_sample(Stopwatch& watch, int repeats) {
  const auto total_ms = watch.run(repeats);
  if (!total_ms) return watch.failure();
  if (*total_ms == 0.0) return zero_time(repeats);
  return *total_ms / repeats;
}

}  // namespace

TimerResult take_samples(const std::function<double(int repeats)>& run_ms, const Protocol& protocol,
                         Pulse* pulse) {
  Stopwatch watch(run_ms, protocol.max_unit_s * 1000.0);
  const auto found = find_repeats(watch, protocol);
  if (const auto* failure = std::get_if<MeasurementFailure>(&found)) return *failure;
  const int repeats = std::get<int>(found);

  const bool chooses = pulse != nullptr && protocol.quiet_ratio > 0.0;
  const auto is_quiet = [&] { return !chooses || pulse->is_quiet(protocol.quiet_ratio); };
  const auto counting = [&](std::vector<double> samples) {
    std::ranges::sort(samples);
    return chooses && protocol.near_ratio > 0.0
               ? undisturbed(std::move(samples), protocol.near_ratio)
               : samples;
  };
  std::vector<double> all;
  std::vector<double> quiet;
  bool quiet_before = is_quiet();
  while (true) {
    const auto sample_ms = take_sample(watch, repeats);
    if (const auto* failure = std::get_if<MeasurementFailure>(&sample_ms)) return *failure;
    const bool quiet_after = is_quiet();
    all.push_back(std::get<double>(sample_ms));
    if (quiet_before && quiet_after) quiet.push_back(all.back());
    quiet_before = quiet_after;
    if (static_cast<int>(all.size()) >= kFewestSamples && watch.time_is_up()) break;
    const auto count = static_cast<int>(quiet.size());
    if (count >= protocol.max_samples) break;
    if (count >= protocol.min_samples && narrow_enough(counting(quiet), protocol.target_rel_ci)) {
      break;
    }
  }
  if (static_cast<int>(quiet.size()) >= kFewestSamples) return Samples{counting(std::move(quiet))};
  return Samples{counting(std::move(all)), true};
}

TimerResult take_paired_samples(const std::function<double(int repeats)>& run_ms,
                                const std::function<double(int repeats)>& reference_run_ms,
                                const Protocol& protocol) {
  Stopwatch watch(run_ms, protocol.max_unit_s * 1000.0);
  const auto found = find_repeats(watch, protocol);
  if (const auto* failure = std::get_if<MeasurementFailure>(&found)) return *failure;
  const int repeats = std::get<int>(found);

  Stopwatch reference(reference_run_ms, std::numeric_limits<double>::infinity());
  if (!reference.run(1)) return reference.failure();  // cold
  Samples samples;
  std::vector<double> ratios;
  std::variant<double, MeasurementFailure> before_ms = take_sample(reference, 1);
  while (true) {
    if (const auto* failure = std::get_if<MeasurementFailure>(&before_ms)) return *failure;
    const auto sample_ms = take_sample(watch, repeats);
    if (const auto* failure = std::get_if<MeasurementFailure>(&sample_ms)) return *failure;
    const auto after_ms = take_sample(reference, 1);
    if (const auto* failure = std::get_if<MeasurementFailure>(&after_ms)) return *failure;
    samples.run_ms.push_back(std::get<double>(sample_ms));
    samples.reference_ms.push_back((std::get<double>(before_ms) + std::get<double>(after_ms)) / 2);
    ratios.push_back(samples.run_ms.back() / samples.reference_ms.back());
    before_ms = after_ms;
    const int count = static_cast<int>(ratios.size());
    const bool time_is_up = watch.used_ms() + reference.used_ms() >= protocol.max_unit_s * 1000.0;
    if (count >= protocol.max_samples || (count >= kFewestSamples && time_is_up)) break;
    if (count < protocol.min_samples) continue;
    std::vector<double> sorted = ratios;
    std::ranges::sort(sorted);
    if (narrow_enough(sorted, protocol.target_rel_ci)) break;
  }
  return samples;
}

MedianInterval median_interval(std::span<const double> ascending) {
  constexpr std::size_t kFewestWithInterval = 6;  // below, even the extremes cover less than 95 %
  constexpr double kNormalQuantile = 1.959963984540054;
  const std::size_t n = ascending.size();
  if (n < kFewestWithInterval) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return {-kInfinity, kInfinity};
  }
  // Ranks (1-based) l and n + 1 - l around the median: the number of samples below it is binomial
  // with probability 1/2, here by its normal approximation rounded to the safe side.
  const auto size = static_cast<double>(n);
  const double rank = std::floor((size - kNormalQuantile * std::sqrt(size)) / 2.0);
  const auto l = static_cast<std::size_t>(std::max(rank, 1.0));
  return {ascending[l - 1], ascending[n - l]};
}

}  // namespace omnifit::latency
