#pragma once

#include "learn/gaussian_process.hpp"

#include <Eigen/Core>

#include <vector>

namespace omnifit::learn::detail {

struct GroupScaling;

/// What the hyper-parameters of a Gaussian process are judged on: its tuning samples, prepared
/// once.
///
/// A point holds logarithms: the relevance of every group, the weight of every group in the linear
/// part, the noise.
class ProcessPosterior {
 public:
  /// Every logarithm stays within ± this.
  static constexpr double kLimit = 12.0;

  /// @param z scaled samples (rows). @param targets standardised.
  ProcessPosterior(const Eigen::MatrixXd& z, const GroupScaling& scaling, Eigen::VectorXd targets);

  /// Negative logarithm of marginal likelihood times prior, with the overall variance at its
  /// optimum; +infinity where the covariance is singular.
  double operator()(GaussianProcessRegressor::Kernel kernel, const Eigen::VectorXd& point,
                    Eigen::VectorXd* gradient) const;
  /// Log marginal likelihood alone.
  [[nodiscard]] double log_marginal_likelihood(GaussianProcessRegressor::Kernel kernel,
                                               const Eigen::VectorXd& point) const;

  /// A point to start from; a larger `log_relevance` is a shorter length scale.
  [[nodiscard]] Eigen::VectorXd start(double log_relevance) const;
  [[nodiscard]] GaussianProcessRegressor::HyperParameters parameters(
      GaussianProcessRegressor::Kernel kernel, const Eigen::VectorXd& point) const;

 private:
  double likelihood_part(GaussianProcessRegressor::Kernel kernel, const Eigen::VectorXd& point,
                         Eigen::VectorXd* gradient) const;
  double prior_part(const Eigen::VectorXd& point, Eigen::VectorXd* gradient) const;

  Eigen::Index num_groups_ = 0;
  std::vector<Eigen::MatrixXd> distances_;  ///< squared, per group
  std::vector<Eigen::MatrixXd> products_;   ///< inner products times 2, per group
  Eigen::VectorXd targets_;
};

/// Stationary covariance of squared distances (relevances applied), in place; its derivative by the
/// squared distance goes to `derivative` if that is not null.
void stationary_covariance(GaussianProcessRegressor::Kernel kernel, Eigen::ArrayXd& squared,
                           Eigen::ArrayXd* derivative = nullptr);

}  // namespace omnifit::learn::detail
