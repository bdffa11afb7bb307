#include "learn/gaussian_process.hpp"

#include "core/error.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/detail/checks.hpp"
#include "learn/detail/minimise.hpp"
#include "learn/detail/process_posterior.hpp"

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <optional>

namespace omnifit::learn {
namespace {

using Kernel = GaussianProcessRegressor::Kernel;
using HyperParameters = GaussianProcessRegressor::HyperParameters;

constexpr std::uint32_t kVersion = 2;
constexpr int kTileColumns = 32;
using Tile = Eigen::Matrix<double, Eigen::Dynamic, kTileColumns>;

/// Inner products → stationary covariance, in place. `squared_a`, `squared_b`: squared norms of the
/// two sides.
///
/// Column by column through buffers of their own: Eigen treats the elements before the first
/// aligned address with other instructions, so that results would depend on where in memory a
/// column begins.
template <class Derived>
void covariance_from_products(Kernel kernel, const Eigen::VectorXd& squared_a,
                              const Eigen::VectorXd& squared_b,
                              Eigen::MatrixBase<Derived>& products) {
  Eigen::ArrayXd values(products.rows());
  for (Eigen::Index j = 0; j < products.cols(); ++j) {
    values = products.col(j).array();
    values = (squared_a.array() + squared_b(j) - 2.0 * values).max(0.0);
    detail::stationary_covariance(kernel, values);
    products.col(j).array() = values;
  }
}

/// Lower Cholesky factor; nullopt if the matrix is singular even with jitter on the diagonal.
std::optional<Eigen::MatrixXd> cholesky(const Eigen::MatrixXd& covariance) {
  const double mean_diagonal = covariance.diagonal().mean();
  for (double jitter = 0.0; jitter < 1e-3; jitter = std::max(jitter * 100.0, 1e-10)) {
    Eigen::MatrixXd candidate = covariance;
    candidate.diagonal().array() += jitter * mean_diagonal;
    const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> llt(candidate);  // in place
    if (llt.info() == Eigen::Success) return llt.matrixL();
  }
  return std::nullopt;
}

/// Whether weights of groups (or the noise) lie where the search looks for them.
bool plausible(const Eigen::VectorXd& weights, Eigen::Index count) {
  constexpr double kSlack = 1.0 + 1e-9;
  const double largest = std::exp(detail::ProcessPosterior::kLimit) * kSlack;
  return weights.size() == count && (weights.array() >= 1.0 / largest).all() &&
         (weights.array() <= largest).all();
}

}  // namespace

void GaussianProcessRegressor::fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  detail::check_samples("gaussian_process", x, y, kMinSamples);
  x_ = x;
  y_ = y;
  standardise();
  parameters_ = {Kernel::kMatern52, Eigen::VectorXd::Ones(scaling_.num_groups),
                 Eigen::VectorXd::Ones(scaling_.num_groups), 1e-2};
  log_marginal_likelihood_ = 0.0;
  if (y_scale_ > 0.0 && scaling_.num_groups > 0) tune();
  factorise();
  fitted_ = true;
}

void GaussianProcessRegressor::standardise() {
  scaling_ = detail::GroupScaling::of("gaussian_process", x_, column_groups_);
  y_mean_ = detail::mean(y_);
  y_scale_ = std::sqrt((y_.array() - y_mean_).square().mean());
}

void GaussianProcessRegressor::tune() {
  // Nobody can see less in predictions; more steps mostly follow chance.
  constexpr double kWorthwhileGain = 0.1;
  constexpr int kMaxSteps = 40;
  const auto taken = detail::spread_indices(x_.rows(), kMaxTuningSamples);
  const Eigen::VectorXd targets = (y_(taken).array() - y_mean_) / y_scale_;
  const detail::ProcessPosterior posterior(scaling_.apply(x_)(taken, Eigen::all), scaling_,
                                           targets);
  // The landscape has more than one valley: a short length scale can also explain by noise. From
  // the best of a few starts the rest is one descent.
  Kernel kernel = Kernel::kMatern52;
  Eigen::VectorXd start = posterior.start(-1.0);
  double least = posterior(kernel, start, nullptr);
  for (const double log_relevance : {-1.0, 1.0, 3.0}) {
    for (const Kernel candidate : {Kernel::kMatern52, Kernel::kRbf}) {
      const Eigen::VectorXd point = posterior.start(log_relevance);
      const double value = posterior(candidate, point, nullptr);
      if (!(value < least)) continue;
      least = value;
      kernel = candidate;
      start = point;
    }
  }
  const detail::Minimum found = detail::minimise(
      [&](const Eigen::VectorXd& point, Eigen::VectorXd* gradient) {
        return posterior(kernel, point, gradient);
      },
      start, -detail::ProcessPosterior::kLimit, detail::ProcessPosterior::kLimit, kWorthwhileGain,
      kMaxSteps);
  parameters_ = posterior.parameters(kernel, found.point);
  log_marginal_likelihood_ = posterior.log_marginal_likelihood(kernel, found.point);
}

void GaussianProcessRegressor::factorise() {
  if (y_scale_ == 0.0) return;  // constant targets: the mean is the prediction
  const Eigen::MatrixXd centred = (x_.rowwise() - scaling_.mean.transpose()).transpose();
  stationary_factor_ = scaling_.factor_with(parameters_.relevance.cwiseSqrt());
  // A typical pair has distance 1, so norms are about 1/√2: the factor 2 makes the linear part of a
  // typical sample as large as its weight says.
  linear_factor_ = scaling_.factor_with((2.0 * parameters_.linear).cwiseSqrt());
  stationary_ = stationary_factor_.asDiagonal() * centred;
  squared_ = stationary_.colwise().squaredNorm().transpose();
  linear_ = linear_factor_.asDiagonal() * centred;
  auto factor = cholesky(covariance());
  OMNIFIT_CHECK(factor.has_value(), "covariance of {} samples is singular", x_.rows());
  factor_ = std::move(*factor);
  const Eigen::VectorXd targets = (y_.array() - y_mean_) / y_scale_;
  const Eigen::VectorXd whitened = factor_.triangularView<Eigen::Lower>().solve(targets);
  variance_ = whitened.squaredNorm() / static_cast<double>(y_.size());
  alpha_ = factor_.triangularView<Eigen::Lower>().transpose().solve(whitened);
  slope_ = linear_ * alpha_;
}

Eigen::MatrixXd GaussianProcessRegressor::covariance() const {
  Eigen::MatrixXd result = stationary_.transpose() * stationary_;
  covariance_from_products(parameters_.kernel, squared_, squared_, result);
  result.noalias() += linear_.transpose() * linear_;
  result.diagonal().array() += parameters_.noise_ratio;
  return result;
}

Prediction GaussianProcessRegressor::predict(const Eigen::MatrixXd& x) const {
  Prediction prediction;
  predict_into(x, prediction.mean, &prediction.deviation);
  return prediction;
}

Eigen::VectorXd GaussianProcessRegressor::predict_mean(const Eigen::MatrixXd& x) const {
  Eigen::VectorXd mean;
  predict_into(x, mean, nullptr);
  return mean;
}

void GaussianProcessRegressor::predict_into(const Eigen::MatrixXd& x, Eigen::VectorXd& mean,
                                            Eigen::VectorXd* deviation) const {
  detail::check_query("gaussian_process", fitted_, x_.cols(), x);
  mean = Eigen::VectorXd::Constant(x.rows(), y_mean_);
  if (deviation) *deviation = Eigen::VectorXd::Zero(x.rows());
  if (y_scale_ == 0.0) return;
  // Always whole tiles, padded with the mean, and sums over aligned buffers: every row then meets
  // the same additions in the same order, whatever batch it is in.
  Eigen::VectorXd centred(x.cols());
  Eigen::VectorXd query(x.cols());
  Eigen::VectorXd column(x_.rows());
  Tile stationary(x.cols(), kTileColumns);
  Tile linear(x.cols(), kTileColumns);
  Eigen::VectorXd squared(kTileColumns);
  Eigen::VectorXd prior(kTileColumns);
  Tile cross(x_.rows(), kTileColumns);
  for (Eigen::Index start = 0; start < x.rows(); start += kTileColumns) {
    const Eigen::Index used = std::min<Eigen::Index>(kTileColumns, x.rows() - start);
    stationary.setZero();
    linear.setZero();
    squared.setZero();
    for (Eigen::Index i = 0; i < used; ++i) {
      centred = x.row(start + i).transpose() - scaling_.mean;
      query = centred.cwiseProduct(stationary_factor_);
      stationary.col(i) = query;
      squared(i) = query.squaredNorm();
      query = centred.cwiseProduct(linear_factor_);
      linear.col(i) = query;
      prior(i) = 1.0 + query.squaredNorm();
      mean(start + i) = query.dot(slope_);
    }
    cross.noalias() = stationary_.transpose() * stationary;
    covariance_from_products(parameters_.kernel, squared_, squared, cross);
    for (Eigen::Index i = 0; i < used; ++i) {
      column = cross.col(i);
      mean(start + i) = y_mean_ + y_scale_ * (mean(start + i) + column.dot(alpha_));
    }
    if (!deviation) continue;
    cross.noalias() += linear_.transpose() * linear;
    factor_.triangularView<Eigen::Lower>().solveInPlace(cross);
    for (Eigen::Index i = 0; i < used; ++i) {
      column = cross.col(i);
      const double left = std::max(prior(i) - column.squaredNorm(), 0.0);
      (*deviation)(start + i) = y_scale_ * std::sqrt(variance_ * left);
    }
  }
}

std::vector<std::byte> GaussianProcessRegressor::save() const {
  if (!fitted_) throw StateError("gaussian_process: save before fit");
  detail::ByteWriter out(kind(), kVersion);
  out.matrix(x_);
  out.vector(y_);
  for (const int group : scaling_.groups) out.integer(static_cast<std::uint64_t>(group));
  out.integer(static_cast<std::uint64_t>(parameters_.kernel));
  out.vector(parameters_.relevance);
  out.vector(parameters_.linear);
  out.real(parameters_.noise_ratio);
  out.real(log_marginal_likelihood_);
  return out.take();
}

GaussianProcessRegressor GaussianProcessRegressor::restore(std::span<const std::byte> bytes) {
  GaussianProcessRegressor model;
  detail::ByteReader in(bytes, model.kind(), kVersion);
  model.x_ = in.matrix();
  model.y_ = in.vector();
  for (Eigen::Index j = 0; j < model.x_.cols(); ++j) {
    const std::uint64_t group = in.integer();
    if (group >= static_cast<std::uint64_t>(model.x_.cols())) in.fail("a group does not exist");
    model.column_groups_.push_back(static_cast<int>(group));
  }
  const std::uint64_t kernel = in.integer();
  model.parameters_.relevance = in.vector();
  model.parameters_.linear = in.vector();
  model.parameters_.noise_ratio = in.real();
  model.log_marginal_likelihood_ = in.real();
  in.finish();
  if (model.x_.rows() != model.y_.size() || model.x_.rows() < kMinSamples || kernel > 1) {
    in.fail("the values contradict each other");
  }
  model.parameters_.kernel = static_cast<Kernel>(kernel);
  model.standardise();
  if (!plausible(model.parameters_.relevance, model.scaling_.num_groups) ||
      !plausible(model.parameters_.linear, model.scaling_.num_groups) ||
      !plausible(Eigen::VectorXd::Constant(1, model.parameters_.noise_ratio), 1)) {
    in.fail("the values contradict each other");
  }
  model.factorise();
  model.fitted_ = true;
  return model;
}

}  // namespace omnifit::learn
