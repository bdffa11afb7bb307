#include "learn/detail/tree_grower.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace omnifit::learn::detail {
namespace {

constexpr int kMaxCodes = 256;
constexpr int kMinLeafRows = 2;
constexpr double kLeafPenalty = 1.0;  ///< pulls the values of small leaves towards 0

/// Halfway between neighbouring distinct values; of too many, an even choice by rank.
std::vector<double> cuts_of(const Eigen::MatrixXd& x, Eigen::Index column, int max_cuts) {
  std::vector<double> values(x.col(column).begin(), x.col(column).end());
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  const auto available = static_cast<int>(values.size()) - 1;
  const int taken = std::min(available, max_cuts);
  std::vector<double> cuts;
  for (int i = 0; i < taken; ++i) {
    const auto at = static_cast<std::size_t>((2 * i + 1) * available / (2 * taken));
    cuts.push_back(values[at] + 0.5 * (values[at + 1] - values[at]));
  }
  return cuts;
}

}  // namespace

BinnedColumns::BinnedColumns(const Eigen::MatrixXd& x, int max_cuts)
    : num_rows_(static_cast<int>(x.rows())), codes_(static_cast<std::size_t>(x.size())) {
  std::size_t out = 0;
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    const std::vector<double>& cuts = cuts_.emplace_back(cuts_of(x, j, max_cuts));
    for (Eigen::Index i = 0; i < x.rows(); ++i) {
      const auto reached = std::upper_bound(cuts.begin(), cuts.end(), x(i, j)) - cuts.begin();
      codes_[out++] = static_cast<std::uint8_t>(reached);
    }
  }
}

TreeGrower::Split TreeGrower::best_split(const std::vector<int>& rows,
                                         const std::vector<int>& columns,
                                         const Eigen::VectorXd& residual) const {
  double total = 0.0;
  for (const int row : rows) total += residual(row);
  const auto count = static_cast<double>(rows.size());
  const double whole = total * total / count;
  Split best;
  std::array<double, kMaxCodes> sums{};
  std::array<int, kMaxCodes> counts{};
  for (const int column : columns) {
    const std::size_t num_codes = columns_.cuts(column).size() + 1;
    if (num_codes < 2) continue;
    std::fill_n(sums.begin(), num_codes, 0.0);
    std::fill_n(counts.begin(), num_codes, 0);
    const std::uint8_t* codes = columns_.codes(column);
    for (const int row : rows) {
      sums[codes[row]] += residual(row);
      ++counts[codes[row]];
    }
    double left_sum = 0.0;
    int left_count = 0;
    for (std::size_t cut = 0; cut + 1 < num_codes; ++cut) {
      left_sum += sums[cut];
      left_count += counts[cut];
      const int right_count = static_cast<int>(rows.size()) - left_count;
      if (left_count < kMinLeafRows || right_count < kMinLeafRows) continue;
      const double right_sum = total - left_sum;
      const double gain =
          left_sum * left_sum / left_count + right_sum * right_sum / right_count - whole;
      if (gain > best.gain * (1.0 + 1e-12)) best = {column, static_cast<int>(cut), gain};
    }
  }
  return best;
}

bool TreeGrower::grow(const std::vector<int>& rows, const std::vector<int>& columns,
                      Eigen::VectorXd& residual,
                      std::vector<BoostedTreesRegressor::Node>& nodes) const {
  if (rows.empty() || columns.empty()) return false;
  std::vector<char> taken(static_cast<std::size_t>(columns_.num_rows()), 0);
  for (const int row : rows) taken[static_cast<std::size_t>(row)] = 1;
  std::vector<int> others;
  for (int row = 0; row < columns_.num_rows(); ++row) {
    if (!taken[static_cast<std::size_t>(row)]) others.push_back(row);
  }
  const std::size_t root = nodes.size();
  nodes.emplace_back();
  Eigen::VectorXd next = residual;
  grow_node(root, rows, others, 0, columns, residual, next, nodes);
  residual = std::move(next);
  return true;
}

void TreeGrower::grow_node(std::size_t node, const std::vector<int>& rows,
                           const std::vector<int>& others, int depth,
                           const std::vector<int>& columns, const Eigen::VectorXd& residual,
                           Eigen::VectorXd& next,
                           std::vector<BoostedTreesRegressor::Node>& nodes) const {
  const Split split =
      depth < max_depth_ && rows.size() >= 2 * static_cast<std::size_t>(kMinLeafRows)
          ? best_split(rows, columns, residual)
          : Split{};
  if (split.column < 0) {
    double sum = 0.0;
    for (const int row : rows) sum += residual(row);
    // A tree without any split says nothing: the mean is known already.
    const double value =
        depth == 0 ? 0.0 : learning_rate_ * sum / (static_cast<double>(rows.size()) + kLeafPenalty);
    nodes[node].threshold = value;
    for (const int row : rows) next(row) -= value;
    for (const int row : others) next(row) -= value;
    return;
  }
  const auto left = static_cast<std::int32_t>(nodes.size());
  nodes.emplace_back();
  nodes.emplace_back();
  nodes[node] = {split.column, left,
                 columns_.cuts(split.column)[static_cast<std::size_t>(split.cut)]};
  const std::uint8_t* codes = columns_.codes(split.column);
  const auto side = [&](const std::vector<int>& of, bool wants_left) {
    std::vector<int> result;
    for (const int row : of) {
      if ((codes[row] <= split.cut) == wants_left) result.push_back(row);
    }
    return result;
  };
  for (const bool is_left : {true, false}) {
    grow_node(static_cast<std::size_t>(left) + (is_left ? 0 : 1), side(rows, is_left),
              side(others, is_left), depth + 1, columns, residual, next, nodes);
  }
}

}  // namespace omnifit::learn::detail
