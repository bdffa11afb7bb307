#include "latency_lut/device_transfer.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "latency_lut/measurement.hpp"
#include "learn/gaussian_process.hpp"
#include "learn/metrics.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace omnifit::latency {
namespace {

using Indices = std::vector<Eigen::Index>;

/// Residuals of archs at the typical distance correlate by exp(-kDecay).
constexpr double kDecay = 1.2;
/// The mean level of a new device is as good as unknown.
constexpr double kInterceptVariance = 100.0;
/// Variance of its weight of the known devices' mean, around 1.
constexpr double kMeanWeightVariance = 1.0;
/// Candidates that proposals are drawn from and priors are judged on; more change little.
constexpr std::size_t kMaxPool = 600;

/// Every candidate, or an even random part of them.
Indices pool_of(Eigen::Index num_candidates, std::uint64_t part) {
  Indices all(static_cast<std::size_t>(num_candidates));
  std::iota(all.begin(), all.end(), Eigen::Index{0});
  if (all.size() <= kMaxPool) return all;
  core::Rng rng = core::Rng::stream(part, core::Purpose::kProfile);
  rng.shuffle(std::span(all));
  all.resize(kMaxPool);
  std::sort(all.begin(), all.end());
  return all;
}

/// Intercept, mean and components of some candidates, each times its prior deviation, so that the
/// prior covariance is the product with itself.
Eigen::MatrixXd scaled_basis(const Eigen::VectorXd& mean, const Eigen::MatrixXd& scores,
                             const TransferPrior& prior, const Indices& rows) {
  const Eigen::Index components = std::min<Eigen::Index>(prior.num_components, scores.cols());
  Eigen::MatrixXd basis(static_cast<Eigen::Index>(rows.size()), 2 + components);
  basis.col(0).setConstant(std::sqrt(kInterceptVariance));
  basis.col(1) = mean(rows) * std::sqrt(kMeanWeightVariance);
  basis.rightCols(components) =
      scores(rows, Eigen::seqN(0, components)) * std::sqrt(prior.component_variance);
  return basis;
}

/// The measurements in the known devices' units: their spread over the measured candidates becomes
/// that of the prior mean there.
struct Aligned {
  Eigen::VectorXd values;
  double centre = 0.0;  ///< value = (ln ms - centre) / scale + offset
  double scale = 1.0;
  double offset = 0.0;
};

double deviation_of(const Eigen::VectorXd& values) {
  return std::sqrt((values.array() - values.mean()).square().mean());
}

Aligned align(const Eigen::VectorXd& log_ms, const Eigen::VectorXd& prior_mean) {
  Aligned aligned;
  aligned.centre = log_ms.mean();
  const double prior_spread = deviation_of(prior_mean);
  const double spread = deviation_of(log_ms);
  if (prior_spread > 1e-9 && spread > 1e-9) aligned.scale = spread / prior_spread;
  aligned.offset = prior_mean.mean();
  aligned.values = (log_ms.array() - aligned.centre) / aligned.scale + aligned.offset;
  return aligned;
}

const std::vector<TransferPrior>& candidate_priors() {
  static const std::vector<TransferPrior> priors = [] {
    std::vector<TransferPrior> grid;
    for (const int components : {2, 4, 8}) {
      for (const double component : {0.1, 0.3, 1.0}) {
        for (const double residual : {0.03, 0.1, 0.3}) {
          for (const double noise : {0.02, 0.1}) {
            grid.push_back({components, component, residual, noise});
          }
        }
      }
    }
    return grid;
  }();
  return priors;
}

void check_measurements(Eigen::Index num_candidates, std::span<const std::size_t> measured,
                        std::span<const double> measured_ms) {
  if (measured.size() != measured_ms.size()) {
    throw std::invalid_argument(
        fmt::format("{} candidates but {} measurements", measured.size(), measured_ms.size()));
  }
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const auto candidate = static_cast<Eigen::Index>(measured[i]);
    if (candidate >= num_candidates || !std::isfinite(measured_ms[i]) || measured_ms[i] <= 0.0) {
      throw std::invalid_argument(fmt::format(
          "measurement {} must be positive and of one of {} candidates, got {} ms of {}", i,
          num_candidates, measured_ms[i], measured[i]));
    }
  }
}

}  // namespace

Eigen::VectorXd log_without_outliers(std::span<const double> time_ms) {
  constexpr double kFar = 1.5;
  Eigen::VectorXd logs =
      Eigen::Map<const Eigen::VectorXd>(time_ms.data(), static_cast<Eigen::Index>(time_ms.size()))
          .array()
          .log();
  if (logs.size() == 0) return logs;
  std::vector<double> sorted(logs.begin(), logs.end());
  std::sort(sorted.begin(), sorted.end());
  const double low = quantile(sorted, 0.25);
  const double high = quantile(sorted, 0.75);
  const double margin = kFar * (high - low);
  // A constant majority says nothing of what is far.
  if (margin <= 0.0) return logs;
  return logs.array().max(low - margin).min(high + margin);
}

Eigen::VectorXd estimate_candidates(const Eigen::MatrixXd& features,
                                    std::span<const std::size_t> measured,
                                    std::span<const double> measured_ms) {
  check_measurements(features.rows(), measured, measured_ms);
  const Indices rows(measured.begin(), measured.end());
  learn::GaussianProcessRegressor process;
  process.fit(features(rows, Eigen::all), log_without_outliers(measured_ms));
  return process.predict(features).mean.array().exp();
}

DeviceTransfer::Basis DeviceTransfer::basis_of(const Eigen::MatrixXd& standardised) {
  Basis basis;
  basis.mean = standardised.rowwise().mean();
  const Eigen::MatrixXd difference = standardised.colwise() - basis.mean;
  const Eigen::MatrixXd gram =
      difference.transpose() * difference / static_cast<double>(difference.rows());
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
  // Ascending; the smallest is 0, because the differences of a candidate sum to 0.
  basis.scores = difference * solver.eigenvectors().rowwise().reverse();
  return basis;
}

DeviceTransfer::DeviceTransfer(const Eigen::MatrixXd& known_ms, const Eigen::MatrixXd& features) {
  if (known_ms.rows() != features.rows()) {
    throw std::invalid_argument(
        fmt::format("{} candidates but features of {}", known_ms.rows(), features.rows()));
  }
  if (known_ms.cols() < kMinDevices || known_ms.rows() < kMinMeasurements) {
    throw std::invalid_argument(
        fmt::format("a transfer needs at least {} known devices and {} candidates, got {} and {}",
                    kMinDevices, kMinMeasurements, known_ms.cols(), known_ms.rows()));
  }
  if (!known_ms.allFinite() || (known_ms.array() <= 0.0).any() || !features.allFinite()) {
    throw std::invalid_argument("latencies of known devices must be positive, features finite");
  }
  standardised_.resize(known_ms.rows(), known_ms.cols());
  for (Eigen::Index j = 0; j < known_ms.cols(); ++j) {
    standardised_.col(j) =
        log_without_outliers({known_ms.col(j).data(), static_cast<std::size_t>(known_ms.rows())});
  }
  const Eigen::RowVectorXd mean = standardised_.colwise().mean();
  standardised_.rowwise() -= mean;
  for (Eigen::Index j = 0; j < standardised_.cols(); ++j) {
    const double spread = deviation_of(standardised_.col(j));
    if (spread > 1e-12) standardised_.col(j) /= spread;
  }
  basis_ = basis_of(standardised_);
  features_ = features.rowwise() - features.colwise().mean();
  // Twice the mean squared norm is the mean squared distance of two candidates.
  const double distance = 2.0 * features_.rowwise().squaredNorm().mean();
  if (distance > 1e-12) features_ /= std::sqrt(distance);
}

Eigen::MatrixXd DeviceTransfer::residual_kernel(std::span<const Eigen::Index> a,
                                                std::span<const Eigen::Index> b) const {
  const Indices rows(a.begin(), a.end());
  const Indices cols(b.begin(), b.end());
  const Eigen::MatrixXd left = features_(rows, Eigen::all);
  const Eigen::MatrixXd right = features_(cols, Eigen::all);
  Eigen::MatrixXd squared = -2.0 * left * right.transpose();
  squared.colwise() += left.rowwise().squaredNorm();
  squared.rowwise() += right.rowwise().squaredNorm().transpose();
  return (-kDecay * squared.array().max(0.0)).exp();
}

std::vector<std::size_t> DeviceTransfer::propose(std::size_t count) const {
  const TransferPrior prior;
  const Indices pool = pool_of(standardised_.rows(), 1);
  const Eigen::MatrixXd basis = scaled_basis(basis_.mean, basis_.scores, prior, pool);
  Eigen::MatrixXd covariance =
      basis * basis.transpose() + prior.residual_variance * residual_kernel(pool, pool);
  std::vector<std::size_t> chosen;
  std::vector<bool> taken(pool.size(), false);
  while (chosen.size() < std::min(count, pool.size())) {
    Eigen::VectorXd gain = covariance.colwise().squaredNorm().transpose().array() /
                           (covariance.diagonal().array() + prior.noise_variance);
    for (std::size_t i = 0; i < taken.size(); ++i) {
      if (taken[i]) gain(static_cast<Eigen::Index>(i)) = -1.0;
    }
    Eigen::Index best = 0;
    gain.maxCoeff(&best);
    taken[static_cast<std::size_t>(best)] = true;
    chosen.push_back(static_cast<std::size_t>(pool[static_cast<std::size_t>(best)]));
    const Eigen::VectorXd column = covariance.col(best);
    covariance -= column * column.transpose() / (column(best) + prior.noise_variance);
  }
  return chosen;
}

TransferPrior DeviceTransfer::choose_prior(std::span<const Eigen::Index> measured) const {
  // Without one device at least two must be left to differ.
  if (standardised_.cols() < kMinDevices + 1) return {};
  const Indices rows(measured.begin(), measured.end());
  const Indices judged = pool_of(standardised_.rows(), 2);
  const Eigen::MatrixXd kernel = residual_kernel(rows, rows);
  const Eigen::MatrixXd cross = residual_kernel(judged, rows);
  const std::vector<TransferPrior>& priors = candidate_priors();
  std::vector<double> scores(priors.size(), 0.0);
  for (Eigen::Index device = 0; device < standardised_.cols(); ++device) {
    Indices others;
    for (Eigen::Index j = 0; j < standardised_.cols(); ++j) {
      if (j != device) others.push_back(j);
    }
    const Basis basis = basis_of(standardised_(Eigen::all, others));
    const Eigen::VectorXd truth = standardised_(judged, device);
    const Aligned aligned = align(standardised_(rows, device), basis.mean(rows));
    for (std::size_t p = 0; p < priors.size(); ++p) {
      const TransferPrior& prior = priors[p];
      const Eigen::MatrixXd at = scaled_basis(basis.mean, basis.scores, prior, rows);
      const Eigen::MatrixXd all = scaled_basis(basis.mean, basis.scores, prior, judged);
      Eigen::MatrixXd covariance = at * at.transpose() + prior.residual_variance * kernel;
      covariance.diagonal().array() += prior.noise_variance;
      const Eigen::VectorXd weights =
          covariance.ldlt().solve(aligned.values - Eigen::VectorXd(basis.mean(rows)));
      const Eigen::VectorXd guess = Eigen::VectorXd(basis.mean(judged)) +
                                    all * (at.transpose() * weights) +
                                    prior.residual_variance * (cross * weights);
      const double rho = learn::spearman(
          std::span<const double>(guess.data(), static_cast<std::size_t>(guess.size())),
          std::span<const double>(truth.data(), static_cast<std::size_t>(truth.size())));
      scores[p] += std::isnan(rho) ? -1.0 : rho;
    }
  }
  const auto best = std::max_element(scores.begin(), scores.end());
  return priors[static_cast<std::size_t>(best - scores.begin())];
}

DeviceTransfer::Estimate DeviceTransfer::estimate(std::span<const std::size_t> measured,
                                                  std::span<const double> measured_ms) const {
  check_measurements(standardised_.rows(), measured, measured_ms);
  if (measured.size() < kMinMeasurements) {
    throw std::invalid_argument(fmt::format("a transfer needs at least {} measurements, got {}",
                                            kMinMeasurements, measured.size()));
  }
  const Indices rows(measured.begin(), measured.end());
  const Eigen::VectorXd log_ms = log_without_outliers(measured_ms);
  Estimate estimate;
  estimate.prior = choose_prior(rows);
  const TransferPrior& prior = estimate.prior;
  Indices all(static_cast<std::size_t>(standardised_.rows()));
  std::iota(all.begin(), all.end(), Eigen::Index{0});
  const Aligned aligned = align(log_ms, basis_.mean(rows));
  const Eigen::MatrixXd at = scaled_basis(basis_.mean, basis_.scores, prior, rows);
  const Eigen::MatrixXd everywhere = scaled_basis(basis_.mean, basis_.scores, prior, all);
  Eigen::MatrixXd covariance =
      at * at.transpose() + prior.residual_variance * residual_kernel(rows, rows);
  covariance.diagonal().array() += prior.noise_variance;
  const Eigen::MatrixXd cross =
      everywhere * at.transpose() + prior.residual_variance * residual_kernel(all, rows);
  const Eigen::LLT<Eigen::MatrixXd> factor(covariance);
  const Eigen::VectorXd mean =
      basis_.mean + cross * factor.solve(aligned.values - Eigen::VectorXd(basis_.mean(rows)));
  const Eigen::MatrixXd explained = factor.matrixL().solve(cross.transpose());
  const Eigen::VectorXd variance =
      (everywhere.rowwise().squaredNorm().array() + prior.residual_variance -
       explained.colwise().squaredNorm().transpose().array())
          .max(0.0);
  estimate.time_ms = ((mean.array() - aligned.offset) * aligned.scale + aligned.centre).exp();
  estimate.rel_deviation = (variance.array() + prior.noise_variance).sqrt() * aligned.scale;
  return estimate;
}

}  // namespace omnifit::latency
