#include "learn/ridge.hpp"

#include "core/error.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/detail/checks.hpp"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <limits>

namespace omnifit::learn {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr int kLargestExponent = 6;     // of 10^(k/2): lambda from 1e3 …
constexpr int kSmallestExponent = -12;  // … down to 1e-6, half a decade a step

/// Mean squared leave-one-out error of the penalty `penalty` (lambda times the number of samples).
///
/// Ridge with a free intercept is a linear smoother with hat matrix 1/n + U diag(s²/(s² + penalty))
/// Uᵀ, so leaving sample i out changes its residual e_i to e_i / (1 - h_ii) exactly. Infinite where
/// a sample is fitted by itself alone.
double leave_one_out_mse(const Eigen::MatrixXd& u, const Eigen::ArrayXd& s_squared,
                         const Eigen::VectorXd& projected, const Eigen::VectorXd& centred,
                         double penalty) {
  const Eigen::VectorXd shrink = (s_squared / (s_squared + penalty)).matrix();
  const auto num_samples = static_cast<double>(u.rows());
  const Eigen::ArrayXd leverage =
      (u.array().square().matrix() * shrink).array() + 1.0 / num_samples;
  const Eigen::ArrayXd residual = (centred - u * shrink.cwiseProduct(projected)).array();
  const Eigen::ArrayXd left = 1.0 - leverage;
  if (left.minCoeff() < 1e-9) return std::numeric_limits<double>::infinity();
  return (residual / left).square().mean();
}

/// Thin singular value decomposition z = U diag(s) Vᵀ without the directions that are zero in
/// floating point.
struct Decomposition {
  Eigen::MatrixXd u;
  Eigen::ArrayXd s;
  Eigen::MatrixXd v;
};

/// Through the eigenvalues of the smaller Gram matrix. That squares the condition number, which the
/// penalty (at least 1e-6 a sample, on standardised columns) makes harmless, and compiles in a
/// tenth of the time of Eigen's own SVD.
Decomposition decompose(const Eigen::MatrixXd& z) {
  const bool tall = z.rows() >= z.cols();
  Eigen::MatrixXd gram;
  if (tall) {
    gram.noalias() = z.transpose() * z;
  } else {
    gram.noalias() = z * z.transpose();
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(gram);
  const Eigen::VectorXd& squares = eigen.eigenvalues();  // ascending
  constexpr double kRelativeZero = 1e-13;
  const double zero =
      kRelativeZero * std::max(squares.size() > 0 ? squares(squares.size() - 1) : 0.0, 0.0);
  Eigen::Index rank = 0;
  while (rank < squares.size() && squares(squares.size() - 1 - rank) > zero) ++rank;

  Decomposition result;
  result.s = squares.tail(rank).array().sqrt();
  const Eigen::VectorXd inverse = result.s.inverse().matrix();
  if (tall) {
    result.v = eigen.eigenvectors().rightCols(rank);
    result.u = (z * result.v) * inverse.asDiagonal();
  } else {
    result.u = eigen.eigenvectors().rightCols(rank);
    result.v = (z.transpose() * result.u) * inverse.asDiagonal();
  }
  return result;
}

}  // namespace

void RidgeRegressor::fit(const Eigen::MatrixXd& x, const Eigen::VectorXd& y) {
  detail::check_samples("ridge", x, y, kMinSamples);
  const auto num_samples = static_cast<double>(x.rows());
  const Eigen::RowVectorXd x_mean = x.colwise().mean();
  Eigen::MatrixXd z = x.rowwise() - x_mean;
  Eigen::RowVectorXd inverse_scale(x.cols());
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    const bool constant = (x.col(j).array() == x(0, j)).all();
    inverse_scale(j) = constant ? 0.0 : 1.0 / std::sqrt(z.col(j).squaredNorm() / num_samples);
  }
  z.array().rowwise() *= inverse_scale.array();
  const double y_mean = detail::mean(y);
  const Eigen::VectorXd centred = y.array() - y_mean;

  const Decomposition svd = decompose(z);
  const Eigen::ArrayXd& s = svd.s;
  const Eigen::VectorXd projected = svd.u.transpose() * centred;
  double best_mse = std::numeric_limits<double>::infinity();
  double best_lambda = std::pow(10.0, kLargestExponent / 2.0);
  // From the strongest penalty down: among equals the simplest model wins.
  for (int exponent = kLargestExponent; exponent >= kSmallestExponent; --exponent) {
    const double lambda = std::pow(10.0, exponent / 2.0);
    const double mse =
        leave_one_out_mse(svd.u, s.square(), projected, centred, lambda * num_samples);
    if (mse < best_mse) {
      best_mse = mse;
      best_lambda = lambda;
    }
  }
  const Eigen::VectorXd filtered =
      (s / (s.square() + best_lambda * num_samples)).matrix().cwiseProduct(projected);
  weights_ = (svd.v * filtered).cwiseProduct(inverse_scale.transpose());
  intercept_ = y_mean - x_mean.dot(weights_);
  lambda_ = best_lambda;
  leave_one_out_rmse_ = std::sqrt(best_mse);
  fitted_ = true;
}

Prediction RidgeRegressor::predict(const Eigen::MatrixXd& x) const {
  detail::check_query("ridge", fitted_, weights_.size(), x);
  Prediction prediction{Eigen::VectorXd(x.rows()),
                        Eigen::VectorXd::Constant(x.rows(), leave_one_out_rmse_)};
  // Row by row through a buffer: the order of additions must not depend on the size of the batch.
  Eigen::VectorXd row(x.cols());
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    row = x.row(i);
    prediction.mean(i) = intercept_ + weights_.dot(row);
  }
  return prediction;
}

std::vector<std::byte> RidgeRegressor::save() const {
  if (!fitted_) throw StateError("ridge: save before fit");
  detail::ByteWriter out(kind(), kVersion);
  out.vector(weights_);
  out.real(intercept_);
  out.real(lambda_);
  out.real(leave_one_out_rmse_);
  return out.take();
}

RidgeRegressor RidgeRegressor::restore(std::span<const std::byte> bytes) {
  RidgeRegressor model;
  detail::ByteReader in(bytes, model.kind(), kVersion);
  model.weights_ = in.vector();
  model.intercept_ = in.real();
  model.lambda_ = in.real();
  model.leave_one_out_rmse_ = in.real();
  in.finish();
  model.fitted_ = true;
  return model;
}

}  // namespace omnifit::learn
