#include "learn/detail/process_posterior.hpp"

#include "learn/detail/column_groups.hpp"

#include <Eigen/Cholesky>

#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace omnifit::learn::detail {
namespace {

using Kernel = GaussianProcessRegressor::Kernel;

// The prior, in logarithms. It is weak on what samples decide well (overall relevance, linear part,
// noise) and holds the groups together: with few samples their differences are mostly chance.
constexpr double kOverallDeviation = 4.0;
constexpr double kGroupDeviation = 1.0;
constexpr double kNoiseMean = -5.0;
constexpr double kNoiseDeviation = 3.0;
constexpr double kStartLinear = 1.0;
constexpr double kStartNoise = -4.0;

constexpr double kJitter = 1e-10;

/// Negative log density of logarithms that scatter around their own mean, which itself scatters
/// around `centre`.
double group_prior(const Eigen::VectorXd& logs, double centre, Eigen::VectorXd* gradient) {
  const double mean = logs.mean();
  const double off = (mean - centre) / kOverallDeviation;
  const Eigen::ArrayXd apart = (logs.array() - mean) / kGroupDeviation;
  if (gradient) {
    *gradient =
        apart / kGroupDeviation + off / (kOverallDeviation * static_cast<double>(logs.size()));
  }
  return 0.5 * (apart.square().sum() + off * off);
}

}  // namespace

void stationary_covariance(Kernel kernel, Eigen::ArrayXd& squared, Eigen::ArrayXd* derivative) {
  if (kernel == Kernel::kRbf) {
    squared = (-0.5 * squared).exp();
    if (derivative) *derivative = -0.5 * squared;
    return;
  }
  squared = (5.0 * squared).sqrt();
  if (derivative) *derivative = -5.0 / 6.0 * (1.0 + squared) * (-squared).exp();
  squared = (1.0 + squared + squared.square() / 3.0) * (-squared).exp();
}

ProcessPosterior::ProcessPosterior(const Eigen::MatrixXd& z, const GroupScaling& scaling,
                                   Eigen::VectorXd targets)
    : num_groups_(scaling.num_groups), targets_(std::move(targets)) {
  for (int group = 0; group < scaling.num_groups; ++group) {
    const Eigen::MatrixXd columns = scaling.columns_of(group, z);
    distances_.push_back(squared_distances(columns));
    products_.emplace_back(2.0 * (columns * columns.transpose()));
  }
}

Eigen::VectorXd ProcessPosterior::start(double log_relevance) const {
  Eigen::VectorXd point(2 * num_groups_ + 1);
  const double per_group = -std::log(static_cast<double>(num_groups_));
  point.head(num_groups_).setConstant(per_group + log_relevance);
  point.segment(num_groups_, num_groups_).setConstant(per_group + kStartLinear);
  point(2 * num_groups_) = kStartNoise;
  return point;
}

GaussianProcessRegressor::HyperParameters ProcessPosterior::parameters(
    Kernel kernel, const Eigen::VectorXd& point) const {
  return {kernel, point.head(num_groups_).array().exp(),
          point.segment(num_groups_, num_groups_).array().exp(), std::exp(point(2 * num_groups_))};
}

double ProcessPosterior::likelihood_part(Kernel kernel, const Eigen::VectorXd& point,
                                         Eigen::VectorXd* gradient) const {
  const auto p = parameters(kernel, point);
  const Eigen::Index n = targets_.size();
  Eigen::ArrayXd squared = Eigen::ArrayXd::Zero(n * n);
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(n, n);
  for (Eigen::Index g = 0; g < num_groups_; ++g) {
    const auto index = static_cast<std::size_t>(g);
    squared += p.relevance(g) * distances_[index].reshaped().array();
    covariance += p.linear(g) * products_[index];
  }
  Eigen::ArrayXd slope;
  stationary_covariance(kernel, squared, gradient ? &slope : nullptr);
  covariance.reshaped().array() += squared;
  covariance.diagonal().array() += p.noise_ratio + kJitter;
  const Eigen::LLT<Eigen::MatrixXd> llt(covariance);
  if (llt.info() != Eigen::Success) return std::numeric_limits<double>::infinity();
  const Eigen::VectorXd alpha = llt.solve(targets_);
  const double count = static_cast<double>(n);
  const double variance = std::max(targets_.dot(alpha) / count, 1e-300);
  if (gradient) {
    Eigen::MatrixXd inner = llt.solve(Eigen::MatrixXd::Identity(n, n));
    inner = 0.5 * (inner - alpha * alpha.transpose() / variance);
    const Eigen::VectorXd weighted = (inner.reshaped().array() * slope).matrix();
    for (Eigen::Index g = 0; g < num_groups_; ++g) {
      const auto index = static_cast<std::size_t>(g);
      (*gradient)(g) = p.relevance(g) * weighted.dot(distances_[index].reshaped());
      (*gradient)(num_groups_ + g) =
          p.linear(g) * inner.reshaped().dot(products_[index].reshaped());
    }
    (*gradient)(2 * num_groups_) = p.noise_ratio * inner.trace();
  }
  return 0.5 * count * std::log(variance) + llt.matrixLLT().diagonal().array().log().sum();
}

double ProcessPosterior::prior_part(const Eigen::VectorXd& point, Eigen::VectorXd* gradient) const {
  Eigen::VectorXd relevance_gradient;
  Eigen::VectorXd linear_gradient;
  double value = group_prior(point.head(num_groups_), -std::log(static_cast<double>(num_groups_)),
                             gradient ? &relevance_gradient : nullptr);
  value += group_prior(point.segment(num_groups_, num_groups_), 0.0,
                       gradient ? &linear_gradient : nullptr);
  const double noise = (point(2 * num_groups_) - kNoiseMean) / kNoiseDeviation;
  value += 0.5 * noise * noise;
  if (gradient) {
    gradient->head(num_groups_) += relevance_gradient;
    gradient->segment(num_groups_, num_groups_) += linear_gradient;
    (*gradient)(2 * num_groups_) += noise / kNoiseDeviation;
  }
  return value;
}

double ProcessPosterior::operator()(Kernel kernel, const Eigen::VectorXd& point,
                                    Eigen::VectorXd* gradient) const {
  if (gradient) gradient->resize(point.size());
  const double likelihood = likelihood_part(kernel, point, gradient);
  if (!std::isfinite(likelihood)) return std::numeric_limits<double>::infinity();
  return likelihood + prior_part(point, gradient);
}

double ProcessPosterior::log_marginal_likelihood(Kernel kernel,
                                                 const Eigen::VectorXd& point) const {
  const double half = 0.5 * static_cast<double>(targets_.size());
  return -likelihood_part(kernel, point, nullptr) - half * (std::log(2.0 * std::numbers::pi) + 1.0);
}

}  // namespace omnifit::learn::detail
