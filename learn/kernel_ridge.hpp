#pragma once

#include "learn/detail/column_groups.hpp"
#include "learn/regressor.hpp"

#include <span>
#include <utility>
#include <vector>

namespace omnifit::learn {

/// Kernel regression: a squared penalty on functions of the RBF kernel, all groups of columns with
/// the same say.
///
/// Width of the kernel and penalty are the pair of a grid with the least exact leave-one-out error
/// on at most kMaxTuningSamples samples spread evenly over the rows. The deviation is the
/// leave-one-out error over all samples, the same for every row.
/// Source: Saunders, Gammerman and Vovk, "Ridge regression learning algorithm in dual variables",
/// 1998.
class KernelRidgeRegressor final : public Regressor {
 public:
  static constexpr int kMinSamples = 2;
  static constexpr int kMaxTuningSamples = 256;

  /// @param column_groups of every column, numbered from 0; empty for one group of all columns.
  explicit KernelRidgeRegressor(std::vector<int> column_groups = {})
      : column_groups_(std::move(column_groups)) {}

  void fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) override;
  [[nodiscard]] Prediction predict(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] std::vector<std::byte> save() const override;
  [[nodiscard]] std::string kind() const override { return "kernel_ridge"; }
  /// Inverse of save. @throws DataError if the bytes are damaged or of another version.
  static KernelRidgeRegressor restore(std::span<const std::byte> bytes);

  /// Over the mean squared distance of two samples: the kernel is exp(-sharpness · d²).
  [[nodiscard]] double sharpness() const { return sharpness_; }
  [[nodiscard]] double penalty() const { return penalty_; }
  /// In the unit of y.
  [[nodiscard]] double leave_one_out_rmse() const { return leave_one_out_rmse_; }

 private:
  void tune(const Eigen::MatrixXd& z, const Eigen::VectorXd& targets);

  bool fitted_ = false;
  std::vector<int> column_groups_;
  Eigen::VectorXd x_mean_;
  Eigen::VectorXd factor_;   ///< per column
  Eigen::MatrixXd samples_;  ///< scaled, one per column
  Eigen::VectorXd squared_;  ///< squared norm of each sample; follows from samples_
  Eigen::VectorXd alpha_;
  double y_mean_ = 0.0;
  double sharpness_ = 0.0;
  double penalty_ = 0.0;
  double leave_one_out_rmse_ = 0.0;
};

}  // namespace omnifit::learn
