#pragma once

#include "learn/detail/column_groups.hpp"
#include "learn/regressor.hpp"

#include <span>
#include <vector>

namespace omnifit::learn {

/// Gaussian process regression: kernel = stationary (RBF or Matérn 5/2) + linear, plus noise.
///
/// Columns come in groups, and every group has a relevance of its own in the stationary part and a
/// weight of its own in the linear part (automatic relevance determination by group); a prior holds
/// them together where the samples do not tell them apart. Kernel and hyper-parameters maximise the
/// posterior by gradient steps, on at most kMaxTuningSamples samples spread evenly over the rows;
/// the overall variance follows in closed form. The factorisation then uses every sample: memory 8
/// n² bytes, time n³ / 3, meant for up to about 2,000 samples. The deviation is that of the
/// function, without the noise of a single measurement. Source: Rasmussen and Williams, Gaussian
/// Processes for Machine Learning, 2006, chapters 2, 4, 5.
class GaussianProcessRegressor final : public Regressor {
 public:
  static constexpr int kMinSamples = 2;
  static constexpr int kMaxTuningSamples = 256;

  enum class Kernel { kRbf, kMatern52 };

  /// In units of the standardised problem: each group of columns divided by the root mean squared
  /// distance of two samples in it, targets by their standard deviation.
  struct HyperParameters {
    Kernel kernel = Kernel::kMatern52;
    Eigen::VectorXd relevance;  ///< per group: 1 / length scale² of the stationary part
    Eigen::VectorXd linear;  ///< per group: variance of the linear part over the stationary one's
    double noise_ratio = 1e-2;  ///< variance of the noise over that of the stationary part
  };

  /// @param column_groups of every column, numbered from 0; empty for one group of all columns.
  explicit GaussianProcessRegressor(std::vector<int> column_groups = {})
      : column_groups_(std::move(column_groups)) {}

  void fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) override;
  [[nodiscard]] Prediction predict(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] Eigen::VectorXd predict_mean(const Eigen::MatrixXd& x) const override;
  /// Samples and hyper-parameters; `restore` factorises again, which gives the same bits on the
  /// same build.
  [[nodiscard]] std::vector<std::byte> save() const override;
  [[nodiscard]] std::string kind() const override { return "gaussian_process"; }
  /// Inverse of save. @throws DataError if the bytes are damaged or of another version.
  static GaussianProcessRegressor restore(std::span<const std::byte> bytes);

  [[nodiscard]] const HyperParameters& hyper_parameters() const { return parameters_; }
  /// Log marginal likelihood of the tuning samples (standardised targets) under the chosen
  /// hyper-parameters.
  [[nodiscard]] double log_marginal_likelihood() const { return log_marginal_likelihood_; }

 private:
  void standardise();
  void tune();
  void factorise();
  [[nodiscard]] Eigen::MatrixXd covariance() const;
  void predict_into(const Eigen::MatrixXd& x, Eigen::VectorXd& mean,
                    Eigen::VectorXd* deviation) const;

  bool fitted_ = false;
  std::vector<int> column_groups_;
  Eigen::MatrixXd x_;  ///< samples as given, one per row
  Eigen::VectorXd y_;  ///< targets as given
  HyperParameters parameters_;
  double log_marginal_likelihood_ = 0.0;

  // Everything below follows from the above.
  detail::GroupScaling scaling_;
  double y_mean_ = 0.0;
  double y_scale_ = 1.0;               ///< 0 for constant targets
  double variance_ = 1.0;              ///< of the stationary part, standardised targets
  Eigen::VectorXd stationary_factor_;  ///< per column: scale and root of the relevance
  Eigen::VectorXd linear_factor_;      ///< per column: scale and root of the linear weight
  Eigen::MatrixXd stationary_;         ///< samples for the stationary part, one per column
  Eigen::VectorXd squared_;            ///< squared norm of each of them
  Eigen::MatrixXd linear_;             ///< samples for the linear part, one per column
  Eigen::MatrixXd factor_;  ///< lower Cholesky factor of the covariance, divided by the variance
  Eigen::VectorXd alpha_;   ///< factor⁻ᵀ factor⁻¹ y
  Eigen::VectorXd slope_;   ///< of the linear part's mean: linear_ alpha_
};

}  // namespace omnifit::learn
