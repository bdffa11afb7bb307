#pragma once

#include "learn/regressor.hpp"

#include <span>

namespace omnifit::learn {

/// Gaussian process regression: kernel = stationary (RBF or Matérn 5/2) + linear, plus noise.
///
/// Kernel and hyper-parameters (length scale, weight of the linear part, noise) maximise the log
/// marginal likelihood: a small grid, then coordinate steps, on at most kMaxTuningSamples samples
/// spread evenly over the rows; the overall variance follows in closed form. The factorisation then
/// uses every sample: memory 8 n² bytes, time n³ / 3, meant for up to about 2,000 samples. The
/// deviation is that of the function, without the noise of a single measurement.
/// Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapters 2, 4, 5.
class GaussianProcessRegressor final : public Regressor {
 public:
  static constexpr int kMinSamples = 2;
  static constexpr int kMaxTuningSamples = 512;

  enum class Kernel { kRbf, kMatern52 };

  /// In units of the standardised problem: inputs divided by their root mean squared distance
  /// scale, targets by their standard deviation.
  struct HyperParameters {
    Kernel kernel = Kernel::kMatern52;
    double length_scale =
        1.0;  ///< of the stationary part, relative to the typical distance of two samples
    double linear_ratio = 1.0;  ///< variance of the linear part over that of the stationary part
    double noise_ratio = 1e-2;  ///< variance of the noise over that of the stationary part
    friend bool operator==(const HyperParameters&, const HyperParameters&) = default;
  };

  void fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) override;
  [[nodiscard]] Prediction predict(const Eigen::MatrixXd& x) const override;
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
  void factorise();

  bool fitted_ = false;
  Eigen::MatrixXd x_;  ///< samples as given, one per column (contiguous)
  Eigen::VectorXd y_;  ///< targets as given
  HyperParameters parameters_;
  double log_marginal_likelihood_ = 0.0;

  // Everything below follows from the above.
  Eigen::VectorXd x_mean_;
  double x_scale_ = 1.0;  ///< typical distance of two samples
  double y_mean_ = 0.0;
  double y_scale_ = 1.0;       ///< 0 for constant targets
  double variance_ = 1.0;      ///< of the stationary part, standardised targets
  Eigen::MatrixXd z_;          ///< standardised samples, one per column
  Eigen::VectorXd z_squared_;  ///< squared norm of each sample
  Eigen::MatrixXd factor_;     ///< lower Cholesky factor of the covariance, divided by the variance
  Eigen::VectorXd alpha_;      ///< factor⁻ᵀ factor⁻¹ y
};

}  // namespace omnifit::learn
