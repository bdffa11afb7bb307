#pragma once

#include "learn/regressor.hpp"

#include <span>

namespace omnifit::learn {

/// Linear regression with an L2 penalty on standardised inputs and a free intercept.
///
/// The penalty is chosen from a logarithmic grid by the exact leave-one-out error, which one
/// singular value decomposition gives for every value of the grid. Constant columns get weight 0.
/// The deviation is the leave-one-out error, the same for every row. Source: Hoerl and Kennard
/// 1970; leave-one-out identity: Allen 1974 (PRESS).
class RidgeRegressor final : public Regressor {
 public:
  static constexpr int kMinSamples = 2;

  void fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) override;
  [[nodiscard]] Prediction predict(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] std::vector<std::byte> save() const override;
  [[nodiscard]] std::string kind() const override { return "ridge"; }
  /// Inverse of save. @throws DataError if the bytes are damaged or of another version.
  static RidgeRegressor restore(std::span<const std::byte> bytes);

  /// Chosen penalty, relative to the number of samples; 0 before fit.
  [[nodiscard]] double lambda() const { return lambda_; }
  /// Root mean squared leave-one-out error of the fit, in the unit of y.
  [[nodiscard]] double leave_one_out_rmse() const { return leave_one_out_rmse_; }
  /// Weights of the raw (not standardised) columns.
  [[nodiscard]] const Eigen::VectorXd& weights() const { return weights_; }
  [[nodiscard]] double intercept() const { return intercept_; }

 private:
  bool fitted_ = false;
  Eigen::VectorXd weights_;
  double intercept_ = 0.0;
  double lambda_ = 0.0;
  double leave_one_out_rmse_ = 0.0;
};

}  // namespace omnifit::learn
