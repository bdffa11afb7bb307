#include "learn/gaussian_process.hpp"

#include "core/error.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/detail/checks.hpp"

#include <Eigen/Cholesky>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>

namespace omnifit::learn {
namespace {

using Kernel = GaussianProcessRegressor::Kernel;
using HyperParameters = GaussianProcessRegressor::HyperParameters;

constexpr std::uint32_t kVersion = 1;
constexpr int kTileColumns = 32;
using Tile = Eigen::Matrix<double, Eigen::Dynamic, kTileColumns>;

/// Limits of the search, in the units of HyperParameters.
struct Limits {
  double min;
  double max;
};
constexpr Limits kLengthLimits{0.05, 100.0};
constexpr Limits kLinearLimits{1e-4, 1e4};
constexpr Limits kNoiseLimits{1e-6, 1e2};

/// Inner products → covariance in place (without noise). `squared_a`, `squared_b`: squared norms of
/// the two sides. Points of a typical pair have distance 1, so their norms are about 1/√2: the
/// factor 2 makes the linear part of a typical sample as large as the stationary part.
///
/// Column by column through buffers of their own: Eigen treats the elements before the first
/// aligned address with other instructions, so that results would depend on where in memory a
/// column begins.
template <class Derived>
void covariance_from_products(const HyperParameters& p, const Eigen::VectorXd& squared_a,
                              const Eigen::VectorXd& squared_b,
                              Eigen::MatrixBase<Derived>& products) {
  const double inverse_squared_length = 1.0 / (p.length_scale * p.length_scale);
  Eigen::ArrayXd dots(products.rows());
  Eigen::ArrayXd squared(products.rows());
  Eigen::ArrayXd values(products.rows());
  for (Eigen::Index j = 0; j < products.cols(); ++j) {
    dots = products.col(j).array();
    squared = (squared_a.array() + squared_b(j) - 2.0 * dots).max(0.0) * inverse_squared_length;
    if (p.kernel == Kernel::kRbf) {
      values = (-0.5 * squared).exp();
    } else {
      squared = (5.0 * squared).sqrt();
      values = (1.0 + squared + squared.square() / 3.0) * (-squared).exp();
    }
    products.col(j).array() = values + 2.0 * p.linear_ratio * dots;
  }
}

/// Lower Cholesky factor of the covariance of the samples with noise; nullopt if it is singular
/// even with jitter on the diagonal.
std::optional<Eigen::MatrixXd> covariance_factor(const HyperParameters& p,
                                                 const Eigen::MatrixXd& products,
                                                 const Eigen::VectorXd& squared) {
  Eigen::MatrixXd covariance = products;
  covariance_from_products(p, squared, squared, covariance);
  covariance.diagonal().array() += p.noise_ratio;
  const double mean_diagonal = covariance.diagonal().mean();
  for (double jitter = 0.0; jitter < 1e-3; jitter = std::max(jitter * 100.0, 1e-10)) {
    Eigen::MatrixXd candidate = covariance;
    candidate.diagonal().array() += jitter * mean_diagonal;
    const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> llt(candidate);  // in place
    if (llt.info() == Eigen::Success) return llt.matrixL();
  }
  return std::nullopt;
}

/// Samples the hyper-parameters are judged on, prepared once.
struct TuningProblem {
  Eigen::MatrixXd products;
  Eigen::VectorXd squared;
  Eigen::VectorXd targets;

  /// Log marginal likelihood with the overall variance at its optimum yᵀ K⁻¹ y / n.
  [[nodiscard]] double score(const HyperParameters& p) const {
    const auto factor = covariance_factor(p, products, squared);
    if (!factor) return -std::numeric_limits<double>::infinity();
    const Eigen::VectorXd whitened = factor->triangularView<Eigen::Lower>().solve(targets);
    const auto n = static_cast<double>(targets.size());
    const double variance = std::max(whitened.squaredNorm() / n, 1e-300);
    return -0.5 * n * (std::log(2.0 * std::numbers::pi * variance) + 1.0) -
           factor->diagonal().array().log().sum();
  }
};

struct Scored {
  HyperParameters parameters;
  double score = -std::numeric_limits<double>::infinity();
};

Scored best_of_grid(const TuningProblem& problem) {
  Scored best;
  for (Kernel kernel : {Kernel::kRbf, Kernel::kMatern52}) {
    for (double length_scale : {0.7, 2.0, 6.0}) {
      for (double linear_ratio : {0.1, 10.0}) {
        for (double noise_ratio : {1e-3, 3e-2}) {
          const HyperParameters p{kernel, length_scale, linear_ratio, noise_ratio};
          const double score = problem.score(p);
          if (score > best.score) best = {p, score};
        }
      }
    }
  }
  return best;
}

/// Gain of log likelihood below which a step is not worth its time; nobody can see it in
/// predictions.
constexpr double kWorthwhileGain = 1e-3;

/// Moves one parameter by factors of `step` while that helps. Returns whether it moved.
bool step_along(const TuningProblem& problem, double HyperParameters::*member, Limits limits,
                double step, Scored& best) {
  bool moved = false;
  for (double factor : {step, 1.0 / step}) {
    while (true) {
      HyperParameters p = best.parameters;
      p.*member = std::clamp(p.*member * factor, limits.min, limits.max);
      if (p == best.parameters) break;
      const double score = problem.score(p);
      if (!(score > best.score + kWorthwhileGain)) break;
      best = {p, score};
      moved = true;
    }
    if (moved) break;
  }
  return moved;
}

Scored tune(const TuningProblem& problem) {
  constexpr int kMaxRounds = 12;
  Scored best = best_of_grid(problem);
  for (double step : {3.0, 1.4}) {
    for (int round = 0; round < kMaxRounds; ++round) {
      bool moved = step_along(problem, &HyperParameters::length_scale, kLengthLimits, step, best);
      moved |= step_along(problem, &HyperParameters::linear_ratio, kLinearLimits, step, best);
      moved |= step_along(problem, &HyperParameters::noise_ratio, kNoiseLimits, step, best);
      if (!moved) break;
    }
  }
  return best;
}

/// Up to `limit` sample indices, spread evenly.
std::vector<Eigen::Index> spread(Eigen::Index count, Eigen::Index limit) {
  const Eigen::Index taken = std::min(count, limit);
  std::vector<Eigen::Index> indices;
  for (Eigen::Index i = 0; i < taken; ++i) indices.push_back(i * count / taken);
  return indices;
}

}  // namespace

void GaussianProcessRegressor::fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  detail::check_samples("gaussian_process", x, y, kMinSamples);
  x_ = x.transpose();
  y_ = y;
  standardise();
  parameters_ = {};
  log_marginal_likelihood_ = 0.0;
  if (y_scale_ > 0.0) {
    const std::vector<Eigen::Index> taken = spread(z_.cols(), kMaxTuningSamples);
    const Eigen::MatrixXd z = z_(Eigen::all, taken);
    const Eigen::VectorXd targets = (y_(taken).array() - y_mean_) / y_scale_;
    const TuningProblem problem{z.transpose() * z, z.colwise().squaredNorm().transpose(), targets};
    const Scored best = tune(problem);
    parameters_ = best.parameters;
    log_marginal_likelihood_ = best.score;
  }
  factorise();
  fitted_ = true;
}

void GaussianProcessRegressor::standardise() {
  const auto num_samples = static_cast<double>(x_.cols());
  x_mean_ = x_.rowwise().mean();
  z_ = x_.colwise() - x_mean_;
  // Mean squared distance of two independent samples: twice the sum of the variances.
  const double squared_distance = 2.0 * z_.squaredNorm() / num_samples;
  x_scale_ = squared_distance > 1e-24 ? std::sqrt(squared_distance) : 1.0;
  z_ /= x_scale_;
  z_squared_ = z_.colwise().squaredNorm().transpose();
  y_mean_ = detail::mean(y_);
  y_scale_ = std::sqrt((y_.array() - y_mean_).square().mean());
}

void GaussianProcessRegressor::factorise() {
  if (y_scale_ == 0.0) return;  // constant targets: the mean is the prediction
  auto factor = covariance_factor(parameters_, z_.transpose() * z_, z_squared_);
  OMNIFIT_CHECK(factor.has_value(), "covariance of {} samples is singular", z_.cols());
  factor_ = std::move(*factor);
  const Eigen::VectorXd targets = (y_.array() - y_mean_) / y_scale_;
  const Eigen::VectorXd whitened = factor_.triangularView<Eigen::Lower>().solve(targets);
  variance_ = whitened.squaredNorm() / static_cast<double>(y_.size());
  alpha_ = factor_.triangularView<Eigen::Lower>().transpose().solve(whitened);
}

Prediction GaussianProcessRegressor::predict(const Eigen::MatrixXd& x) const {
  detail::check_query("gaussian_process", fitted_, x_.rows(), x);
  Prediction prediction{Eigen::VectorXd::Constant(x.rows(), y_mean_),
                        Eigen::VectorXd::Zero(x.rows())};
  if (y_scale_ == 0.0) return prediction;
  // Always whole tiles, padded with the mean, and sums over aligned buffers: every row then meets
  // the same additions in the same order, whatever batch it is in.
  Eigen::VectorXd query(x.cols());
  Eigen::VectorXd column(z_.cols());
  Tile queries(x.cols(), kTileColumns);
  Eigen::VectorXd squared(kTileColumns);
  for (Eigen::Index start = 0; start < x.rows(); start += kTileColumns) {
    const Eigen::Index used = std::min<Eigen::Index>(kTileColumns, x.rows() - start);
    queries.setZero();
    squared.setZero();
    for (Eigen::Index i = 0; i < used; ++i) {
      query = (x.row(start + i).transpose() - x_mean_) / x_scale_;
      queries.col(i) = query;
      squared(i) = query.squaredNorm();
    }
    Tile cross = z_.transpose() * queries;
    covariance_from_products(parameters_, z_squared_, squared, cross);
    for (Eigen::Index i = 0; i < used; ++i) {
      column = cross.col(i);
      prediction.mean(start + i) = y_mean_ + y_scale_ * column.dot(alpha_);
    }
    factor_.triangularView<Eigen::Lower>().solveInPlace(cross);
    for (Eigen::Index i = 0; i < used; ++i) {
      column = cross.col(i);
      const double prior = 1.0 + 2.0 * parameters_.linear_ratio * squared(i);
      const double left = std::max(prior - column.squaredNorm(), 0.0);
      prediction.deviation(start + i) = y_scale_ * std::sqrt(variance_ * left);
    }
  }
  return prediction;
}

std::vector<std::byte> GaussianProcessRegressor::save() const {
  if (!fitted_) throw StateError("gaussian_process: save before fit");
  detail::ByteWriter out(kind(), kVersion);
  out.matrix(x_);
  out.vector(y_);
  out.integer(static_cast<std::uint64_t>(parameters_.kernel));
  out.real(parameters_.length_scale);
  out.real(parameters_.linear_ratio);
  out.real(parameters_.noise_ratio);
  out.real(log_marginal_likelihood_);
  return out.take();
}

GaussianProcessRegressor GaussianProcessRegressor::restore(std::span<const std::byte> bytes) {
  GaussianProcessRegressor model;
  detail::ByteReader in(bytes, model.kind(), kVersion);
  model.x_ = in.matrix();
  model.y_ = in.vector();
  const std::uint64_t kernel = in.integer();
  model.parameters_.length_scale = in.real();
  model.parameters_.linear_ratio = in.real();
  model.parameters_.noise_ratio = in.real();
  model.log_marginal_likelihood_ = in.real();
  in.finish();
  const auto within = [](double value, Limits limits) {
    return value >= limits.min && value <= limits.max;
  };
  if (model.x_.cols() != model.y_.size() || model.x_.cols() < kMinSamples || kernel > 1 ||
      !within(model.parameters_.length_scale, kLengthLimits) ||
      !within(model.parameters_.linear_ratio, kLinearLimits) ||
      !within(model.parameters_.noise_ratio, kNoiseLimits)) {
    in.fail("the values contradict each other");
  }
  model.parameters_.kernel = static_cast<Kernel>(kernel);
  model.standardise();
  model.factorise();
  model.fitted_ = true;
  return model;
}

}  // namespace omnifit::learn
