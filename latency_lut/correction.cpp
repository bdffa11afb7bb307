#include "latency_lut/correction.hpp"

#include "core/error.hpp"
#include "latency_lut/measurement.hpp"
#include "learn/metrics.hpp"

#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <stdexcept>
#include <vector>

namespace omnifit::latency {
namespace {

/// Networks from which more than a line can be told.
constexpr std::size_t kFewestForTerms = 8;

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

/// What a correction has beside scale and offset.
struct Terms {
  bool unit_overhead = false;
  bool weights = false;
  [[nodiscard]] int count() const { return int{unit_overhead} + int{weights}; }
};

/// One row per network, divided by its measured time, so that errors are relative; zero for network
/// `left_out`.
Eigen::MatrixXd design_matrix(std::span<const NetworkSum> networks,
                              std::span<const double> measured_ms, const Terms& terms,
                              std::size_t left_out) {
  Eigen::MatrixXd x =
      Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(networks.size()), 2 + terms.count());
  for (std::size_t i = 0; i < networks.size(); ++i) {
    if (i == left_out) continue;
    const auto row = static_cast<Eigen::Index>(i);
    Eigen::Index column = 0;
    x(row, column++) = networks[i].sum_ms;
    x(row, column++) = 1.0;
    if (terms.unit_overhead) x(row, column++) = networks[i].num_units;
    if (terms.weights) x(row, column) = networks[i].weight_mb;
    x.row(row) /= measured_ms[i];
  }
  return x;
}

/// Least squares of relative errors, without network `left_out`; networks far off count less
/// (Huber), as a disturbed measurement does. nullopt if the networks do not tell the terms apart.
std::optional<Correction> with_terms(std::span<const NetworkSum> networks,
                                     std::span<const double> measured_ms, const Terms& terms,
                                     std::size_t left_out) {
  constexpr int kRounds = 10;
  constexpr double kHuber = 1.5;
  const Eigen::MatrixXd x = design_matrix(networks, measured_ms, terms, left_out);
  Eigen::VectorXd y = Eigen::VectorXd::Ones(x.rows());
  if (left_out < networks.size()) y(static_cast<Eigen::Index>(left_out)) = 0.0;
  Eigen::VectorXd weight = Eigen::VectorXd::Ones(x.rows());
  Eigen::VectorXd found;
  for (int round = 0; round < kRounds; ++round) {
    const Eigen::MatrixXd weighted = weight.asDiagonal() * x;
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(weighted);
    if (qr.rank() < x.cols()) return std::nullopt;
    found = qr.solve(weight.cwiseProduct(y));
    const Eigen::VectorXd error = (x * found - y).cwiseAbs();
    std::vector<double> sizes(error.data(), error.data() + error.size());
    const double spread = std::max(median(std::move(sizes)) * 1.4826, 1e-9);
    for (Eigen::Index i = 0; i < weight.size(); ++i) {
      weight(i) = std::sqrt(std::min(1.0, kHuber * spread / std::max(error(i), 1e-300)));
    }
  }
  Correction correction{.scale = found(0), .offset_ms = found(1)};
  if (terms.unit_overhead) correction.unit_overhead_ms = found(2);
  if (terms.weights) correction.weight_ms_per_mb = found(x.cols() - 1);
  return correction;
}

/// Fits a correction to all networks but the one of that index.
using Fit = std::function<std::optional<Correction>(std::size_t left_out)>;

/// Mean relative error on each network in turn, left out of fitting; infinite where one fails.
double left_out_error(std::span<const NetworkSum> networks, std::span<const double> measured_ms,
                      const Fit& fit) {
  double error = 0.0;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const auto without = fit(i);
    if (!without) return std::numeric_limits<double>::infinity();
    error += std::abs((*without)(networks[i]) / measured_ms[i] - 1.0);
  }
  return error / static_cast<double>(networks.size());
}

Correction line_only(std::span<const NetworkSum> networks, std::span<const double> measured_ms,
                     const NetworkSum& smallest, std::size_t left_out) {
  std::vector<double> sums;
  std::vector<double> measured;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    if (i == left_out) continue;
    sums.push_back(networks[i].sum_ms);
    measured.push_back(measured_ms[i]);
  }
  return fit_correction(sums, measured, smallest.sum_ms);
}

/// What a correction was fitted on tells how large its errors are. A disturbed network moves
/// little.
double fit_deviation_scale(const Correction& correction, int num_fitted,
                           std::span<const NetworkSum> networks,
                           std::span<const double> measured_ms) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const double deviation_ms = correction.scale * networks[i].deviation_ms;
    if (deviation_ms <= 0.0) continue;
    ratios.push_back(std::abs(correction(networks[i]) - measured_ms[i]) / deviation_ms);
  }
  if (ratios.size() < kFewestForTerms) return 1.0;
  const auto num = static_cast<double>(ratios.size());
  return 1.4826 * median(std::move(ratios)) * std::sqrt(num / (num - num_fitted));
}

}  // namespace

double Correction::operator()(double sum_ms) const {
  OMNIFIT_CHECK(unit_overhead_ms == 0.0 && weight_ms_per_mb == 0.0,
                "the correction needs more than the sum");
  return scale * sum_ms + offset_ms;
}

Correction fit_correction(std::span<const NetworkSum> networks, std::span<const double> measured_ms,
                          const NetworkSum& smallest) {
  constexpr double kWorthwhile = 0.9;
  constexpr double kChance = 1.05;
  const std::size_t none = networks.size();
  Correction best = line_only(networks, measured_ms, smallest, none);
  if (networks.size() < kFewestForTerms) return best;
  const int num_fit = best.num_fit;
  int num_terms = 0;
  double error = left_out_error(networks, measured_ms, [&](std::size_t left_out) {
    return line_only(networks, measured_ms, smallest, left_out);
  });
  const double line_error = error;
  for (const Terms& terms : {Terms{false, true}, Terms{true, false}, Terms{true, true}}) {
    const auto fit = [&](std::size_t left_out) {
      return with_terms(networks, measured_ms, terms, left_out);
    };
    const auto full = fit(none);
    if (!full || full->scale <= 0.0 || full->weight_ms_per_mb < 0.0 || (*full)(smallest) <= 0.0) {
      continue;
    }
    // That weights take time is expected, so that may be worse by what chance does with so few
    // networks. An overhead has to earn its place; of two with one term each the better one has it.
    double asked = kChance * line_error;
    if (terms.unit_overhead) asked = std::min(kWorthwhile * line_error, error);
    if (terms.count() == 2) asked = kWorthwhile * error;
    const double found = left_out_error(networks, measured_ms, fit);
    if (found >= asked) continue;
    best = *full;
    error = found;
    num_terms = terms.count();
  }
  best.num_fit = num_fit;
  best.deviation_scale = fit_deviation_scale(best, 2 + num_terms, networks, measured_ms);
  return best;
}

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
  const double r2 = learn::r2(estimated_ms, measured_ms);
  if (!std::isnan(r2)) check.r2 = r2;
  return check;
}

}  // namespace omnifit::latency
