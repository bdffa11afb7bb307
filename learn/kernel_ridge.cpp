#include "learn/kernel_ridge.hpp"

#include "core/error.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/detail/checks.hpp"

#include <Eigen/Cholesky>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace omnifit::learn {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr int kTileColumns = 32;
using Tile = Eigen::Matrix<double, Eigen::Dynamic, kTileColumns>;

constexpr std::array kSharpnesses{0.03, 0.1, 0.3, 1.0, 3.0};
constexpr std::array kPenalties{1.0, 1e-1, 1e-2, 1e-3, 1e-4};

struct Solution {
  Eigen::VectorXd alpha;
  double leave_one_out_mse = std::numeric_limits<double>::infinity();
};

/// Leaving sample i out changes its residual to alpha_i / (K + penalty)⁻¹_ii exactly.
Solution solve(Eigen::MatrixXd kernel, double penalty, const Eigen::VectorXd& targets) {
  const Eigen::Index n = targets.size();
  kernel.diagonal().array() += penalty;
  const Eigen::LLT<Eigen::MatrixXd> llt(kernel);
  if (llt.info() != Eigen::Success) return {};
  Solution solution;
  solution.alpha = llt.solve(targets);
  const Eigen::MatrixXd inverse_factor = llt.matrixL().solve(Eigen::MatrixXd::Identity(n, n));
  const Eigen::ArrayXd diagonal = inverse_factor.colwise().squaredNorm().transpose().array();
  solution.leave_one_out_mse = (solution.alpha.array() / diagonal).square().mean();
  return solution;
}

Eigen::MatrixXd kernel_of(const Eigen::MatrixXd& distances, double sharpness) {
  return (-sharpness * distances).array().exp();
}

}  // namespace

void KernelRidgeRegressor::fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  detail::check_samples("kernel_ridge", x, y, kMinSamples);
  const auto scaling = detail::GroupScaling::of("kernel_ridge", x, column_groups_);
  x_mean_ = scaling.mean;
  // Over all groups, two samples have a mean squared distance of 1.
  factor_ = scaling.factor / std::sqrt(std::max(1.0, static_cast<double>(scaling.num_groups)));
  const Eigen::MatrixXd z = (x.rowwise() - x_mean_.transpose()) * factor_.asDiagonal();
  samples_ = z.transpose();
  squared_ = samples_.colwise().squaredNorm().transpose();
  y_mean_ = detail::mean(y);
  const Eigen::VectorXd targets = y.array() - y_mean_;
  tune(z, targets);
  const Solution solution =
      solve(kernel_of(detail::squared_distances(z), sharpness_), penalty_, targets);
  OMNIFIT_CHECK(std::isfinite(solution.leave_one_out_mse), "kernel of {} samples is singular",
                x.rows());
  alpha_ = solution.alpha;
  leave_one_out_rmse_ = std::sqrt(solution.leave_one_out_mse);
  fitted_ = true;
}

void KernelRidgeRegressor::tune(const Eigen::MatrixXd& z, const Eigen::VectorXd& targets) {
  const auto taken = detail::spread_indices(z.rows(), kMaxTuningSamples);
  const Eigen::MatrixXd distances = detail::squared_distances(z(taken, Eigen::all));
  const Eigen::VectorXd y = targets(taken);
  double best = std::numeric_limits<double>::infinity();
  // Smooth and strong first: among equals the simplest model wins.
  for (const double sharpness : kSharpnesses) {
    const Eigen::MatrixXd kernel = kernel_of(distances, sharpness);
    for (const double penalty : kPenalties) {
      const double mse = solve(kernel, penalty, y).leave_one_out_mse;
      if (!(mse < best)) continue;
      best = mse;
      sharpness_ = sharpness;
      penalty_ = penalty;
    }
  }
}

Prediction KernelRidgeRegressor::predict(const Eigen::MatrixXd& x) const {
  detail::check_query("kernel_ridge", fitted_, x_mean_.size(), x);
  Prediction prediction{Eigen::VectorXd(x.rows()),
                        Eigen::VectorXd::Constant(x.rows(), leave_one_out_rmse_)};
  // Whole tiles and aligned buffers, so that a row meets the same additions in any batch.
  Eigen::VectorXd query(x.cols());
  Eigen::ArrayXd values(samples_.cols());
  Tile queries(x.cols(), kTileColumns);
  Tile products(samples_.cols(), kTileColumns);
  Eigen::VectorXd squared(kTileColumns);
  for (Eigen::Index start = 0; start < x.rows(); start += kTileColumns) {
    const Eigen::Index used = std::min<Eigen::Index>(kTileColumns, x.rows() - start);
    queries.setZero();
    for (Eigen::Index i = 0; i < used; ++i) {
      query = (x.row(start + i).transpose() - x_mean_).cwiseProduct(factor_);
      queries.col(i) = query;
      squared(i) = query.squaredNorm();
    }
    products.noalias() = samples_.transpose() * queries;
    for (Eigen::Index i = 0; i < used; ++i) {
      values = products.col(i).array();
      values = (squared_.array() + squared(i) - 2.0 * values).max(0.0);
      values = (-sharpness_ * values).exp();
      prediction.mean(start + i) = y_mean_ + values.matrix().dot(alpha_);
    }
  }
  return prediction;
}

std::vector<std::byte> KernelRidgeRegressor::save() const {
  if (!fitted_) throw StateError("kernel_ridge: save before fit");
  detail::ByteWriter out(kind(), kVersion);
  out.matrix(samples_);
  out.vector(x_mean_);
  out.vector(factor_);
  out.vector(alpha_);
  out.real(y_mean_);
  out.real(sharpness_);
  out.real(penalty_);
  out.real(leave_one_out_rmse_);
  return out.take();
}

KernelRidgeRegressor KernelRidgeRegressor::restore(std::span<const std::byte> bytes) {
  KernelRidgeRegressor model;
  detail::ByteReader in(bytes, model.kind(), kVersion);
  model.samples_ = in.matrix();
  model.x_mean_ = in.vector();
  model.factor_ = in.vector();
  model.alpha_ = in.vector();
  model.y_mean_ = in.real();
  model.sharpness_ = in.real();
  model.penalty_ = in.real();
  model.leave_one_out_rmse_ = in.real();
  in.finish();
  if (model.samples_.rows() != model.x_mean_.size() ||
      model.x_mean_.size() != model.factor_.size() ||
      model.samples_.cols() != model.alpha_.size() || model.leave_one_out_rmse_ < 0.0) {
    in.fail("the values contradict each other");
  }
  model.squared_ = model.samples_.colwise().squaredNorm().transpose();
  model.fitted_ = true;
  return model;
}

}  // namespace omnifit::learn
