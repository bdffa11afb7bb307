#include "latency_lut/correction.hpp"

#include "core/error.hpp"
#include "latency_lut/measurement.hpp"
#include "learn/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <vector>

namespace omnifit::latency {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

void check_times(std::span<const double> sums_ms, std::span<const double> measured_ms) {
  if (sums_ms.size() != measured_ms.size()) {
    throw std::invalid_argument(
        fmt::format("{} sums but {} measurements", sums_ms.size(), measured_ms.size()));
  }
  for (std::size_t i = 0; i < sums_ms.size(); ++i) {
    const auto valid = [](double value) { return std::isfinite(value) && value > 0.0; };
    if (!valid(sums_ms[i]) || !valid(measured_ms[i])) {
      throw std::invalid_argument(fmt::format("times must be positive, got sum {} and measured {}",
                                              sums_ms[i], measured_ms[i]));
    }
  }
}

/// Median of the slopes between all pairs, and the median of what is left.
Correction theil_sen(std::span<const double> x, std::span<const double> y) {
  std::vector<double> slopes;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = i + 1; j < x.size(); ++j) {
      if (x[i] != x[j]) slopes.push_back((y[j] - y[i]) / (x[j] - x[i]));
    }
  }
  Correction line;
  line.scale = median(std::move(slopes));
  std::vector<double> offsets;
  for (std::size_t i = 0; i < x.size(); ++i) offsets.push_back(y[i] - line.scale * x[i]);
  line.offset_ms = median(std::move(offsets));
  return line;
}

Correction median_ratio(std::span<const double> x, std::span<const double> y) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < x.size(); ++i) ratios.push_back(y[i] / x[i]);
  return {median(std::move(ratios)), 0.0, 0};
}

}  // namespace

Correction fit_correction(std::span<const double> sums_ms, std::span<const double> measured_ms,
                          double smallest_sum_ms) {
  check_times(sums_ms, measured_ms);
  if (sums_ms.empty()) return {};
  constexpr std::size_t kFewestForLine = 3;
  const bool enough = std::set<double>(sums_ms.begin(), sums_ms.end()).size() >= kFewestForLine;
  Correction correction =
      enough ? theil_sen(sums_ms, measured_ms) : median_ratio(sums_ms, measured_ms);
  if (correction.scale <= 0.0 || correction(smallest_sum_ms) <= 0.0) {
    correction = median_ratio(sums_ms, measured_ms);
  }
  correction.num_fit = static_cast<int>(sums_ms.size());
  return correction;
}

EstimateCheck judge_estimates(std::span<const double> estimated_ms,
                              std::span<const double> measured_ms) {
  check_times(estimated_ms, measured_ms);
  EstimateCheck check;
  check.num_check = static_cast<int>(measured_ms.size());
  if (measured_ms.empty()) return check;
  check.mape = learn::mape(estimated_ms, measured_ms);
  check.within_10_percent = learn::share_within(estimated_ms, measured_ms, 0.1);
  const double tau = learn::kendall_tau(estimated_ms, measured_ms);
  if (!std::isnan(tau)) check.kendall_tau = tau;
  return check;
}

}  // namespace omnifit::latency
