#include "learn/mlp_ensemble.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "core/threads.hpp"
#include "learn/cross_validation.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/detail/checks.hpp"
#include "learn/detail/column_groups.hpp"
#include "learn/detail/small_network.hpp"

#include <algorithm>
#include <cmath>

namespace omnifit::learn {
namespace {

using detail::SmallNetwork;

constexpr std::uint32_t kVersion = 1;

/// Index of the streams under Purpose::kFit; smaller ones belong to the choice between models and
/// to boosted trees.
constexpr std::uint64_t kParts = 4;
constexpr std::uint64_t kNetworks = 5;

}  // namespace

void MlpEnsembleRegressor::fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  detail::check_samples("mlp_ensemble", x, y, kMinSamples);
  const auto scaling = detail::GroupScaling::of("mlp_ensemble", x, column_groups_);
  x_mean_ = scaling.mean;
  // Over all groups, two samples have a mean squared distance of 1.
  factor_ = scaling.factor / std::sqrt(std::max(1.0, static_cast<double>(scaling.num_groups)));
  y_mean_ = detail::mean(y);
  y_scale_ = std::sqrt((y.array() - y_mean_).square().mean());
  members_.clear();
  out_of_part_rmse_ = 0.0;
  fitted_ = true;
  if (y_scale_ == 0.0) return;

  const Eigen::MatrixXf samples = scaled(x);
  const Eigen::VectorXf targets = ((y.array() - y_mean_) / y_scale_).matrix().cast<float>();
  const SmallNetwork network(x.cols());
  const auto num_rows = static_cast<int>(x.rows());
  const int num_members = std::min(kMaxMembers, num_rows);
  core::Rng parts = core::Rng::stream(seed_, core::Purpose::kFit, {kParts});
  const std::vector<int> part_of = assign_folds(num_rows, num_members, parts);
  members_.resize(static_cast<std::size_t>(num_members));
  std::vector<double> squared_errors(members_.size());
  core::parallel_for(num_members, threads_, [&](std::int64_t member) {
    std::vector<Eigen::Index> seen;
    std::vector<Eigen::Index> left_out;
    for (Eigen::Index row = 0; row < x.rows(); ++row) {
      (part_of[static_cast<std::size_t>(row)] == member ? left_out : seen).push_back(row);
    }
    const auto m = static_cast<std::size_t>(member);
    members_[m] = detail::train_network(
        network, samples, targets, seen, {},
        core::Rng::stream(seed_, core::Purpose::kFit, {kNetworks, static_cast<std::uint64_t>(m)}));
    squared_errors[m] =
        (network.outputs(members_[m], samples(Eigen::all, left_out)) - targets(left_out))
            .cast<double>()
            .squaredNorm();
  });
  double sum = 0.0;
  for (const double error : squared_errors) sum += error;
  out_of_part_rmse_ = y_scale_ * std::sqrt(sum / static_cast<double>(num_rows));
}

Eigen::MatrixXf MlpEnsembleRegressor::scaled(const Eigen::MatrixXd& x) const {
  return (factor_.asDiagonal() * (x.rowwise() - x_mean_.transpose()).transpose()).cast<float>();
}

Prediction MlpEnsembleRegressor::predict(const Eigen::MatrixXd& x) const {
  detail::check_query("mlp_ensemble", fitted_, x_mean_.size(), x);
  Prediction prediction{Eigen::VectorXd::Constant(x.rows(), y_mean_),
                        Eigen::VectorXd::Zero(x.rows())};
  if (y_scale_ == 0.0) return prediction;
  const Eigen::MatrixXf samples = scaled(x);
  const SmallNetwork network(x_mean_.size());
  std::vector<Eigen::VectorXf> outputs;
  for (const Eigen::VectorXf& member : members_) {
    outputs.push_back(network.outputs(member, samples));
  }
  const auto count = static_cast<double>(members_.size());
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    double mean = 0.0;
    for (const Eigen::VectorXf& output : outputs) mean += static_cast<double>(output(i)) / count;
    double spread = 0.0;
    for (const Eigen::VectorXf& output : outputs) {
      const double off = static_cast<double>(output(i)) - mean;
      spread += off * off / count;
    }
    prediction.mean(i) = y_mean_ + y_scale_ * mean;
    prediction.deviation(i) =
        std::sqrt(y_scale_ * y_scale_ * spread + out_of_part_rmse_ * out_of_part_rmse_);
  }
  return prediction;
}

std::vector<std::byte> MlpEnsembleRegressor::save() const {
  if (!fitted_) throw StateError("mlp_ensemble: save before fit");
  detail::ByteWriter out(kind(), kVersion);
  out.integer(members_.size());
  for (const Eigen::VectorXf& member : members_) out.float_matrix(member);
  out.vector(x_mean_);
  out.vector(factor_);
  out.real(y_mean_);
  out.real(y_scale_);
  out.real(out_of_part_rmse_);
  return out.take();
}

MlpEnsembleRegressor MlpEnsembleRegressor::restore(std::span<const std::byte> bytes) {
  MlpEnsembleRegressor model;
  detail::ByteReader in(bytes, model.kind(), kVersion);
  const std::uint64_t count = in.integer();
  if (count > kMaxMembers) in.fail("the values contradict each other");
  for (std::uint64_t m = 0; m < count; ++m) {
    const Eigen::MatrixXf weights = in.float_matrix();
    if (weights.cols() != 1) in.fail("the values contradict each other");
    model.members_.emplace_back(weights.col(0));
  }
  model.x_mean_ = in.vector();
  model.factor_ = in.vector();
  model.y_mean_ = in.real();
  model.y_scale_ = in.real();
  model.out_of_part_rmse_ = in.real();
  in.finish();
  const Eigen::Index num_weights = SmallNetwork(model.x_mean_.size()).num_weights();
  const bool fit_together = std::ranges::all_of(
      model.members_, [&](const Eigen::VectorXf& member) { return member.size() == num_weights; });
  if (!fit_together || model.factor_.size() != model.x_mean_.size() || model.y_scale_ < 0.0 ||
      model.out_of_part_rmse_ < 0.0 || model.members_.empty() != (model.y_scale_ == 0.0)) {
    in.fail("the values contradict each other");
  }
  model.fitted_ = true;
  return model;
}

}  // namespace omnifit::learn
