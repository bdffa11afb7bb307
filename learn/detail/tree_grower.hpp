#pragma once

#include "learn/boosted_trees.hpp"

#include <Eigen/Core>

#include <cstdint>
#include <vector>

namespace omnifit::learn::detail {

/// Columns as small integers: how many of the column's cuts a value has reached.
class BinnedColumns {
 public:
  /// @pre 1 <= max_cuts <= 255
  BinnedColumns(const Eigen::MatrixXd& x, int max_cuts);

  [[nodiscard]] int num_rows() const { return num_rows_; }
  /// Codes of a column, one per row; at most num_cuts(column).
  [[nodiscard]] const std::uint8_t* codes(int column) const {
    return codes_.data() + static_cast<std::size_t>(column) * static_cast<std::size_t>(num_rows_);
  }
  /// Ascending thresholds; none for a constant column.
  [[nodiscard]] const std::vector<double>& cuts(int column) const {
    return cuts_[static_cast<std::size_t>(column)];
  }

 private:
  int num_rows_ = 0;
  std::vector<std::uint8_t> codes_;  ///< column after column
  std::vector<std::vector<double>> cuts_;
};

/// Grows one regression tree at a time by the greatest fall of squared error.
class TreeGrower {
 public:
  TreeGrower(const BinnedColumns& columns, int max_depth, double learning_rate)
      : columns_(columns), max_depth_(max_depth), learning_rate_(learning_rate) {}

  /// Appends a tree that explains the residuals of `rows` by `columns`, and takes its values off
  /// the residuals of all rows. @return false, appending nothing, if there are no rows or columns.
  bool grow(const std::vector<int>& rows, const std::vector<int>& columns,
            Eigen::VectorXd& residual, std::vector<BoostedTreesRegressor::Node>& nodes) const;

 private:
  struct Split {
    int column = -1;
    int cut = 0;
    double gain = 0.0;
  };
  [[nodiscard]] Split best_split(const std::vector<int>& rows, const std::vector<int>& columns,
                                 const Eigen::VectorXd& residual) const;
  void grow_node(std::size_t node, const std::vector<int>& rows, const std::vector<int>& others,
                 int depth, const std::vector<int>& columns, const Eigen::VectorXd& residual,
                 Eigen::VectorXd& next, std::vector<BoostedTreesRegressor::Node>& nodes) const;

  const BinnedColumns& columns_;
  int max_depth_;
  double learning_rate_;
};

}  // namespace omnifit::learn::detail
