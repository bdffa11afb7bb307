#pragma once

#include "learn/regressor.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace omnifit::learn {

/// Gradient-boosted regression trees on squared error.
///
/// Several boosters, each without one part of the samples: that part says when to stop adding trees
/// and how far off the booster is. The prediction is their mean; the deviation joins that error
/// with the spread between boosters. Every tree sees a random half of the booster's rows and
/// columns. Columns are cut at up to kMaxCuts thresholds (halfway between neighbours, so splits do
/// not depend on units). Source: Friedman, "Stochastic gradient boosting", 2002.
class BoostedTreesRegressor final : public Regressor {
 public:
  static constexpr int kMinSamples = 2;
  static constexpr int kMaxCuts = 32;
  static constexpr int kMaxBoosters = 5;
  static constexpr int kMaxTrees = 250;  ///< per booster
  static constexpr int kMaxDepth = 3;

  /// @param seed of the rows and columns that trees see and of the parts left out.
  explicit BoostedTreesRegressor(std::uint64_t seed = 0) : seed_(seed) {}

  void fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) override;
  [[nodiscard]] Prediction predict(const Eigen::MatrixXd& x) const override;
  [[nodiscard]] std::vector<std::byte> save() const override;
  [[nodiscard]] std::string kind() const override { return "boosted_trees"; }
  /// Inverse of save. @throws DataError if the bytes are damaged or of another version.
  static BoostedTreesRegressor restore(std::span<const std::byte> bytes);

  /// Of every booster.
  [[nodiscard]] std::vector<int> num_trees() const;
  /// Error of the boosters on the samples they did not see, in the unit of y.
  [[nodiscard]] double out_of_part_rmse() const { return out_of_part_rmse_; }

  /// Inner node: rows with x[column] < threshold go to `left`, the others to left + 1. Leaf:
  /// column -1.
  struct Node {
    std::int32_t column = -1;
    std::int32_t left = 0;   ///< behind this node, in the same tree
    double threshold = 0.0;  ///< of a leaf: its value
  };

 private:
  struct Booster {
    std::vector<Node> nodes;          ///< of all trees, one tree after the other
    std::vector<std::int32_t> roots;  ///< ascending
  };
  [[nodiscard]] double predict_row(const Booster& booster, const double* row) const;
  [[nodiscard]] bool consistent() const;

  bool fitted_ = false;
  std::uint64_t seed_ = 0;
  Eigen::Index columns_ = 0;
  double y_mean_ = 0.0;
  double out_of_part_rmse_ = 0.0;
  std::vector<Booster> boosters_;
};

}  // namespace omnifit::learn
