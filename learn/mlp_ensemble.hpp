#pragma once

#include "learn/regressor.hpp"

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace omnifit::learn {

/// The mean of several small neural networks.
///
/// Each network has two hidden layers (tanh) and a linear path from the inputs beside them, so that
/// what a straight line says need not be learnt by bending one. Columns come in groups, which are
/// brought to the same say as in the kernel models; targets are standardised. Every network starts
/// from weights of its own, sees all samples but one part, and takes steps of AdamW on mini-batches
/// while the learning rate falls to zero: no step count to choose, nothing to stop early. The
/// deviation joins the spread between the networks with their error on the parts they did not see.
/// Sources: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019; Lakshminarayanan,
/// Pritzel and Blundell, "Simple and scalable predictive uncertainty estimation using deep
/// ensembles", 2017.
class MlpEnsembleRegressor final : public Regressor {
 public:
  static constexpr int kMinSamples = 2;
  static constexpr int kMaxMembers = 5;
  static constexpr int kHiddenWidth = 32;

  /// @param column_groups of every column, numbered from 0; empty for one group of all columns.
  /// @param seed of first weights, mini-batches and the parts left out.
  /// @param threads networks trained at a time; the result does not depend on it.
  explicit MlpEnsembleRegressor(std::vector<int> column_groups = {}, std::uint64_t seed = 0,
                                int threads = 1)
      : column_groups_(std::move(column_groups)), seed_(seed), threads_(threads) {}

  void fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) override;
  [[nodiscard]] Prediction predict(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] std::vector<std::byte> save() const override;
  [[nodiscard]] std::string kind() const override { return "mlp_ensemble"; }
  /// Inverse of save. @throws DataError if the bytes are damaged or of another version.
  static MlpEnsembleRegressor restore(std::span<const std::byte> bytes);

  /// Error of the networks on the samples they did not see, in the unit of y.
  [[nodiscard]] double out_of_part_rmse() const { return out_of_part_rmse_; }
  [[nodiscard]] int num_members() const { return static_cast<int>(members_.size()); }

 private:
  [[nodiscard]] Eigen::MatrixXf scaled(const Eigen::MatrixXd& x) const;

  bool fitted_ = false;
  std::vector<int> column_groups_;
  std::uint64_t seed_ = 0;
  int threads_ = 1;
  Eigen::VectorXd x_mean_;
  Eigen::VectorXd factor_;  ///< per column
  double y_mean_ = 0.0;
  double y_scale_ = 1.0;                  ///< 0 for constant targets
  std::vector<Eigen::VectorXf> members_;  ///< all weights of each network
  double out_of_part_rmse_ = 0.0;
};

}  // namespace omnifit::learn
