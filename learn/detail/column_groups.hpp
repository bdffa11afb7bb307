#pragma once

#include <Eigen/Core>

#include <string_view>
#include <vector>

namespace omnifit::learn::detail {

/// Centres columns and brings every group of columns to the same say in distances.
///
/// After `apply`, two random samples have a mean squared distance of 1 within each group (0 where
/// all samples are equal in it), whatever the units and however many columns stand for one thing.
struct GroupScaling {
  Eigen::VectorXd mean;
  Eigen::VectorXd factor;   ///< per column; 0 where its group is constant
  std::vector<int> groups;  ///< of every column
  int num_groups = 0;

  /// @param groups empty for a single group; otherwise one number from 0 per column of `x`.
  /// @throws std::invalid_argument naming `kind` if the groups do not fit the columns.
  static GroupScaling of(std::string_view kind, const Eigen::MatrixXd& x, std::vector<int> groups);

  [[nodiscard]] Eigen::MatrixXd apply(const Eigen::MatrixXd& x) const;
  /// `factor` with each column multiplied by the weight of its group.
  [[nodiscard]] Eigen::VectorXd factor_with(const Eigen::VectorXd& group_weights) const;
  /// The columns of one group.
  [[nodiscard]] Eigen::MatrixXd columns_of(int group, const Eigen::MatrixXd& z) const;
};

/// Squared distances between the rows of `z`.
Eigen::MatrixXd squared_distances(const Eigen::MatrixXd& z);

/// Up to `limit` of `count` indices, spread evenly, ascending.
std::vector<Eigen::Index> spread_indices(Eigen::Index count, Eigen::Index limit);

}  // namespace omnifit::learn::detail
