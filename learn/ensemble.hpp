#pragma once

#include "learn/regressor.hpp"

#include <memory>
#include <span>
#include <vector>

namespace omnifit::learn {

/// Weighted mean of several regression models that learn from the same samples.
///
/// The deviation is that of the mixture: it joins the members' own deviations with the spread
/// between their means, so it is large where they disagree.
class EnsembleRegressor final : public Regressor {
 public:
  using Members = std::vector<std::unique_ptr<Regressor>>;

  /// @param weights of the members, at least 0 and with a positive sum (they are scaled to sum 1);
  /// empty for equal ones.
  /// @throws std::invalid_argument otherwise, or if there is no member.
  explicit EnsembleRegressor(Members members, std::vector<double> weights = {});

  void fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) override;
  [[nodiscard]] Prediction predict(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] Eigen::VectorXd predict_mean(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] std::vector<std::byte> save() const override;
  [[nodiscard]] std::string kind() const override { return "ensemble"; }
  /// Inverse of save. @throws DataError if the bytes, or those of a member, are damaged or of
  /// another version.
  static EnsembleRegressor restore(std::span<const std::byte> bytes);

  [[nodiscard]] const Members& members() const { return members_; }
  /// Sum 1.
  [[nodiscard]] const std::vector<double>& weights() const { return weights_; }

 private:
  bool fitted_ = false;
  Members members_;
  std::vector<double> weights_;
};

/// Weights (at least 0, sum 1) of the mean of `predictions` (columns) that is closest to `y` in
/// squared error. Where columns say the same the solution nearest to equal weights is preferred.
/// Source: Breiman, "Stacked regressions", 1996.
std::vector<double> stacking_weights(const Eigen::MatrixXd& predictions, const Eigen::VectorXd& y);

}  // namespace omnifit::learn
