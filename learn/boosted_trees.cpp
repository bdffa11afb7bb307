#include "learn/boosted_trees.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "learn/cross_validation.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/detail/checks.hpp"
#include "learn/detail/tree_grower.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace omnifit::learn {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr int kPatience = 30;  ///< trees without a better fit of the part left out
constexpr double kLearningRate = 0.1;

/// Index of the streams under Purpose::kFit; 0 and 1 belong to the choice between models.
constexpr std::uint64_t kParts = 2;
constexpr std::uint64_t kTrees = 3;

/// A random half, ascending.
std::vector<int> random_half(int count, core::Rng& rng) {
  std::vector<int> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  rng.shuffle(std::span(order));
  order.resize(static_cast<std::size_t>((count + 1) / 2));
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<int> of_rows(const std::vector<int>& rows, const std::vector<int>& taken) {
  std::vector<int> result;
  result.reserve(taken.size());
  for (const int i : taken) result.push_back(rows[static_cast<std::size_t>(i)]);
  return result;
}

}  // namespace

void BoostedTreesRegressor::fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  detail::check_samples("boosted_trees", x, y, kMinSamples);
  const auto num_rows = static_cast<int>(x.rows());
  const auto num_columns = static_cast<int>(x.cols());
  columns_ = x.cols();
  y_mean_ = detail::mean(y);
  boosters_.clear();
  const detail::BinnedColumns binned(x, kMaxCuts);
  const detail::TreeGrower grower(binned, kMaxDepth, kLearningRate);
  core::Rng parts = core::Rng::stream(seed_, core::Purpose::kFit, {kParts});
  const int num_boosters = std::min(kMaxBoosters, num_rows);
  const std::vector<int> part_of = assign_folds(num_rows, num_boosters, parts);
  double squared_error = 0.0;
  for (int booster = 0; booster < num_boosters; ++booster) {
    core::Rng rng = core::Rng::stream(seed_, core::Purpose::kFit,
                                      {kTrees, static_cast<std::uint64_t>(booster)});
    std::vector<int> seen;
    std::vector<int> left_out;
    for (int row = 0; row < num_rows; ++row) {
      (part_of[static_cast<std::size_t>(row)] == booster ? left_out : seen).push_back(row);
    }
    Eigen::VectorXd residual = y.array() - y_mean_;
    const auto error_left_out = [&] { return residual(left_out).squaredNorm(); };
    Booster grown;
    double least = error_left_out();
    std::size_t best_trees = 0;
    for (std::size_t tree = 0; tree < kMaxTrees && tree < best_trees + kPatience; ++tree) {
      const std::vector<int> rows = of_rows(seen, random_half(static_cast<int>(seen.size()), rng));
      const std::vector<int> columns = random_half(num_columns, rng);
      grown.roots.push_back(static_cast<std::int32_t>(grown.nodes.size()));
      if (!grower.grow(rows, columns, residual, grown.nodes)) {
        grown.roots.pop_back();
        break;
      }
      const double error = error_left_out();
      if (error < least) {
        least = error;
        best_trees = grown.roots.size();
      }
    }
    if (best_trees < grown.roots.size()) {
      grown.nodes.resize(static_cast<std::size_t>(grown.roots[best_trees]));
      grown.roots.resize(best_trees);
    }
    squared_error += least;
    boosters_.push_back(std::move(grown));
  }
  out_of_part_rmse_ = std::sqrt(squared_error / static_cast<double>(num_rows));
  fitted_ = true;
}

double BoostedTreesRegressor::predict_row(const Booster& booster, const double* row) const {
  double sum = 0.0;
  for (const std::int32_t root : booster.roots) {
    const Node* node = &booster.nodes[static_cast<std::size_t>(root)];
    while (node->column >= 0) {
      const std::size_t side = row[node->column] < node->threshold ? 0 : 1;
      node = &booster.nodes[static_cast<std::size_t>(node->left) + side];
    }
    sum += node->threshold;
  }
  return sum;
}

Prediction BoostedTreesRegressor::predict(const Eigen::MatrixXd& x) const {
  detail::check_query("boosted_trees", fitted_, columns_, x);
  Prediction prediction{Eigen::VectorXd(x.rows()), Eigen::VectorXd(x.rows())};
  const auto count = static_cast<double>(boosters_.size());
  Eigen::VectorXd row(x.cols());
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    row = x.row(i).transpose();
    double sum = 0.0;
    double squares = 0.0;
    for (const Booster& booster : boosters_) {
      const double value = predict_row(booster, row.data());
      sum += value;
      squares += value * value;
    }
    const double mean = sum / count;
    const double spread = std::max(0.0, squares / count - mean * mean);
    prediction.mean(i) = y_mean_ + mean;
    prediction.deviation(i) = std::sqrt(spread + out_of_part_rmse_ * out_of_part_rmse_);
  }
  return prediction;
}

std::vector<int> BoostedTreesRegressor::num_trees() const {
  std::vector<int> result;
  for (const Booster& booster : boosters_) result.push_back(static_cast<int>(booster.roots.size()));
  return result;
}

std::vector<std::byte> BoostedTreesRegressor::save() const {
  if (!fitted_) throw StateError("boosted_trees: save before fit");
  detail::ByteWriter out(kind(), kVersion);
  out.integer(boosters_.size());
  for (const Booster& booster : boosters_) {
    out.integer(booster.nodes.size());
    for (const Node& node : booster.nodes) {
      // One word for a node's place: column + 1 above, left child below.
      out.integer(static_cast<std::uint64_t>(node.column + 1) << 32 |
                  static_cast<std::uint64_t>(node.left));
      out.real(node.threshold);
    }
    out.integer(booster.roots.size());
    for (const std::int32_t root : booster.roots) out.integer(static_cast<std::uint64_t>(root));
  }
  out.integer(seed_);
  out.integer(static_cast<std::uint64_t>(columns_));
  out.real(y_mean_);
  out.real(out_of_part_rmse_);
  return out.take();
}

bool BoostedTreesRegressor::consistent() const {
  for (const Booster& booster : boosters_) {
    const auto count = static_cast<std::int32_t>(booster.nodes.size());
    for (std::int32_t i = 0; i < count; ++i) {
      const Node& node = booster.nodes[static_cast<std::size_t>(i)];
      // Children behind their parent: no walk can go in circles.
      if (node.column >= 0 &&
          (node.column >= columns_ || node.left <= i || node.left + 1 >= count)) {
        return false;
      }
    }
    const auto outside = [count](std::int32_t root) { return root < 0 || root >= count; };
    if (std::any_of(booster.roots.begin(), booster.roots.end(), outside)) return false;
  }
  return !boosters_.empty() && boosters_.size() <= kMaxBoosters && out_of_part_rmse_ >= 0.0;
}

BoostedTreesRegressor BoostedTreesRegressor::restore(std::span<const std::byte> bytes) {
  BoostedTreesRegressor model;
  detail::ByteReader in(bytes, model.kind(), kVersion);
  const std::uint64_t num_boosters = in.integer();
  if (num_boosters > kMaxBoosters) in.fail("the values contradict each other");
  for (std::uint64_t b = 0; b < num_boosters; ++b) {
    Booster booster;
    const std::uint64_t num_nodes = in.integer();
    for (std::uint64_t i = 0; i < num_nodes; ++i) {
      const std::uint64_t place = in.integer();
      booster.nodes.push_back({static_cast<std::int32_t>((place >> 32) & 0x7fffffff) - 1,
                               static_cast<std::int32_t>(place & 0x7fffffff), in.real()});
    }
    const std::uint64_t num_roots = in.integer();
    for (std::uint64_t i = 0; i < num_roots; ++i) {
      booster.roots.push_back(static_cast<std::int32_t>(in.integer() & 0x7fffffff));
    }
    model.boosters_.push_back(std::move(booster));
  }
  model.seed_ = in.integer();
  model.columns_ = static_cast<Eigen::Index>(in.integer());
  model.y_mean_ = in.real();
  model.out_of_part_rmse_ = in.real();
  in.finish();
  if (!model.consistent()) in.fail("the values contradict each other");
  model.fitted_ = true;
  return model;
}

}  // namespace omnifit::learn
