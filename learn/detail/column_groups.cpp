#include "learn/detail/column_groups.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace omnifit::learn::detail {

GroupScaling GroupScaling::of(std::string_view kind, const Eigen::MatrixXd& x,
                              std::vector<int> groups) {
  const auto columns = static_cast<std::size_t>(x.cols());
  if (groups.empty()) groups.assign(columns, 0);
  const bool negative = std::any_of(groups.begin(), groups.end(), [](int g) { return g < 0; });
  if (groups.size() != columns || negative) {
    throw std::invalid_argument(
        fmt::format("{}: {} columns need as many groups numbered from 0, got {}", kind, columns,
                    groups.size()));
  }
  GroupScaling scaling;
  scaling.num_groups = groups.empty() ? 0 : *std::max_element(groups.begin(), groups.end()) + 1;
  scaling.groups = std::move(groups);
  scaling.mean = x.colwise().mean().transpose();
  // Mean squared distance of two independent samples: twice the sum of the variances.
  Eigen::VectorXd squared = Eigen::VectorXd::Zero(scaling.num_groups);
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    squared(scaling.groups[static_cast<std::size_t>(j)]) +=
        2.0 * (x.col(j).array() - scaling.mean(j)).square().mean();
  }
  constexpr double kConstant = 1e-24;
  scaling.factor.resize(x.cols());
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    const double distance = squared(scaling.groups[static_cast<std::size_t>(j)]);
    scaling.factor(j) = distance > kConstant ? 1.0 / std::sqrt(distance) : 0.0;
  }
  return scaling;
}

Eigen::MatrixXd GroupScaling::apply(const Eigen::MatrixXd& x) const {
  return (x.rowwise() - mean.transpose()) * factor.asDiagonal();
}

Eigen::VectorXd GroupScaling::factor_with(const Eigen::VectorXd& group_weights) const {
  Eigen::VectorXd result = factor;
  for (Eigen::Index j = 0; j < result.size(); ++j) {
    result(j) *= group_weights(groups[static_cast<std::size_t>(j)]);
  }
  return result;
}

Eigen::MatrixXd GroupScaling::columns_of(int group, const Eigen::MatrixXd& z) const {
  std::vector<Eigen::Index> columns;
  for (std::size_t j = 0; j < groups.size(); ++j) {
    if (groups[j] == group) columns.push_back(static_cast<Eigen::Index>(j));
  }
  return z(Eigen::all, columns);
}

Eigen::MatrixXd squared_distances(const Eigen::MatrixXd& z) {
  const Eigen::VectorXd squared = z.rowwise().squaredNorm();
  Eigen::MatrixXd distances = -2.0 * (z * z.transpose());
  distances.colwise() += squared;
  distances.rowwise() += squared.transpose();
  return distances.cwiseMax(0.0);
}

std::vector<Eigen::Index> spread_indices(Eigen::Index count, Eigen::Index limit) {
  const Eigen::Index taken = std::min(count, limit);
  std::vector<Eigen::Index> indices;
  for (Eigen::Index i = 0; i < taken; ++i) indices.push_back(i * count / taken);
  return indices;
}

}  // namespace omnifit::learn::detail
