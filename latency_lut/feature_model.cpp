#include "latency_lut/feature_model.hpp"

#include "core/rng.hpp"
#include "learn/cross_validation.hpp"

#include <fmt/format.h>
#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace omnifit::latency {
namespace {

using Indices = std::vector<Eigen::Index>;

Eigen::RowVectorXd inverse_deviations(const Eigen::MatrixXd& x, const Eigen::RowVectorXd& mean) {
  const Eigen::RowVectorXd variance =
      (x.rowwise() - mean).array().square().colwise().sum() / static_cast<double>(x.rows());
  return variance.unaryExpr([](double v) { return v > 1e-20 ? 1.0 / std::sqrt(v) : 0.0; });
}

Eigen::MatrixXd scaled(const Eigen::MatrixXd& x, const Eigen::RowVectorXd& mean,
                       const Eigen::RowVectorXd& factor) {
  return (x.rowwise() - mean) * factor.asDiagonal();
}

/// The columns, their squares and their products.
Eigen::MatrixXd with_products(const Eigen::MatrixXd& x) {
  Eigen::MatrixXd wide(x.rows(), x.cols() + x.cols() * (x.cols() + 1) / 2);
  wide.leftCols(x.cols()) = x;
  Eigen::Index column = x.cols();
  for (Eigen::Index a = 0; a < x.cols(); ++a) {
    for (Eigen::Index b = a; b < x.cols(); ++b) {
      wide.col(column++) = x.col(a).cwiseProduct(x.col(b));
    }
  }
  return wide;
}

struct Line {
  Eigen::VectorXd weights;
  double intercept = 0.0;
};

/// Ridge regression with weights of the samples (mean 1) and a free intercept.
Line weighted_ridge(const Eigen::MatrixXd& x, const Eigen::VectorXd& y,
                    const Eigen::VectorXd& sample_weight, double penalty) {
  const double total = sample_weight.sum();
  const Eigen::RowVectorXd x_mean = sample_weight.transpose() * x / total;
  const double y_mean = sample_weight.dot(y) / total;
  const Eigen::MatrixXd centred = x.rowwise() - x_mean;
  const Eigen::MatrixXd weighted = sample_weight.asDiagonal() * centred;
  Eigen::MatrixXd normal = centred.transpose() * weighted / total;
  normal.diagonal().array() += penalty;
  const Eigen::VectorXd right = weighted.transpose() * (y.array() - y_mean).matrix() / total;
  Line line;
  line.weights = normal.ldlt().solve(right);
  line.intercept = y_mean - x_mean.dot(line.weights);
  return line;
}

/// Least mean |x w + b - y| / y: each round weighs a sample by what its last error was.
Line least_relative_error(const Eigen::MatrixXd& x, const Eigen::VectorXd& y, double penalty) {
  constexpr int kRounds = 20;
  constexpr double kSmallest = 1e-3;  // an error that is as good as none
  Eigen::VectorXd error = Eigen::VectorXd::Ones(y.size());
  Line line;
  for (int round = 0; round < kRounds; ++round) {
    Eigen::VectorXd weight = (y.array().square() * error.array().max(kSmallest)).inverse();
    weight /= weight.mean();
    line = weighted_ridge(x, y, weight, penalty);
    error = (((x * line.weights).array() + line.intercept - y.array()) / y.array()).abs();
  }
  return line;
}

void check(const Eigen::MatrixXd& features, const Eigen::VectorXd& time_ms) {
  if (features.rows() != time_ms.size() || features.rows() < FeatureModel::kMinRows) {
    throw std::invalid_argument(
        fmt::format("a model needs at least {} networks with a time each, got {} and {} times",
                    FeatureModel::kMinRows, features.rows(), time_ms.size()));
  }
  if (!features.allFinite() || !time_ms.allFinite() || (time_ms.array() <= 0.0).any()) {
    throw std::invalid_argument("features must be finite and times positive");
  }
}

}  // namespace

Eigen::MatrixXd FeatureModel::columns(const Eigen::MatrixXd& features) const {
  const Eigen::MatrixXd standardised = scaled(features, feature_mean_, feature_factor_);
  return shape_.products ? with_products(standardised) : standardised;
}

FeatureModel FeatureModel::fit_shape(const Eigen::MatrixXd& features,
                                     const Eigen::VectorXd& time_ms, const Shape& shape) {
  FeatureModel model;
  model.shape_ = shape;
  model.feature_mean_ = features.colwise().mean();
  model.feature_factor_ = inverse_deviations(features, model.feature_mean_);
  const Eigen::MatrixXd wide = model.columns(features);
  model.column_mean_ = wide.colwise().mean();
  model.column_factor_ = inverse_deviations(wide, model.column_mean_);
  // In units of the mean time, so that a penalty means the same on any device.
  const double unit_ms = time_ms.mean();
  const Line line = least_relative_error(scaled(wide, model.column_mean_, model.column_factor_),
                                         time_ms / unit_ms, shape.penalty);
  model.weights_ = line.weights * unit_ms;
  model.intercept_ms_ = line.intercept * unit_ms;
  model.least_ms_ = 0.1 * time_ms.minCoeff();
  return model;
}

FeatureModel FeatureModel::fit(const Eigen::MatrixXd& features, std::span<const double> time_ms,
                               std::uint64_t seed) {
  constexpr int kFolds = 5;
  const Eigen::VectorXd times =
      Eigen::Map<const Eigen::VectorXd>(time_ms.data(), static_cast<Eigen::Index>(time_ms.size()));
  check(features, times);
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kFit);
  const std::vector<int> folds =
      learn::assign_folds(static_cast<int>(features.rows()), kFolds, rng);
  Shape best;
  double best_error = std::numeric_limits<double>::infinity();
  // The simplest first: it has the say where others are no better.
  for (const bool products : {false, true}) {
    for (const double penalty : {1e-2, 1e-3, 1e-4, 1e-5}) {
      const Shape shape{products, penalty};
      double error = 0.0;
      for (int fold = 0; fold < kFolds; ++fold) {
        Indices in;
        Indices out;
        for (std::size_t i = 0; i < folds.size(); ++i) {
          (folds[i] == fold ? out : in).push_back(static_cast<Eigen::Index>(i));
        }
        const FeatureModel model = fit_shape(features(in, Eigen::all), times(in), shape);
        const Eigen::VectorXd guess = model.predict(features(out, Eigen::all));
        error += ((guess - Eigen::VectorXd(times(out))).array() / times(out).array()).abs().sum();
      }
      error /= static_cast<double>(features.rows());
      if (error >= best_error) continue;
      best = shape;
      best_error = error;
    }
  }
  FeatureModel model = fit_shape(features, times, best);
  model.cross_validated_error_ = best_error;
  return model;
}

Eigen::VectorXd FeatureModel::predict(const Eigen::MatrixXd& features) const {
  if (features.cols() != feature_mean_.size()) {
    throw std::invalid_argument(fmt::format("the model was fitted on {} features, got {}",
                                            feature_mean_.size(), features.cols()));
  }
  const Eigen::MatrixXd x = scaled(columns(features), column_mean_, column_factor_);
  return ((x * weights_).array() + intercept_ms_).max(least_ms_);
}

}  // namespace omnifit::latency
