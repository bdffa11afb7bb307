#pragma once

#include <Eigen/Core>

#include <cstdint>
#include <span>

namespace omnifit::latency {

/// Latency of whole networks as a linear function of numbers that describe them, for devices and
/// families of networks of which nothing else is known.
///
/// Fitted to the least mean relative error (not squared: a disturbed timing must not pull) by
/// iteratively reweighted ridge regression. Times are not taken as logarithms, because work adds
/// up. Whether products of two columns take part, and the penalty, are chosen by cross-validation.
/// Immutable; thread-safe.
class FeatureModel {
 public:
  static constexpr int kMinRows = 10;

  /// @param features a row per network. @param seed of the folds. @throws std::invalid_argument
  /// with fewer than kMinRows rows, sizes that differ, a feature that is not finite or a time that
  /// is not positive.
  static FeatureModel fit(const Eigen::MatrixXd& features, std::span<const double> time_ms,
                          std::uint64_t seed);

  /// One time per row [ms]; at least a tenth of the smallest it was fitted on.
  /// @throws std::invalid_argument if the number of columns differs.
  [[nodiscard]] Eigen::VectorXd predict(const Eigen::MatrixXd& features) const;

  [[nodiscard]] bool uses_products() const { return shape_.products; }
  [[nodiscard]] double penalty() const { return shape_.penalty; }
  /// Mean relative error of the folds, each estimated by a model without it; a fraction.
  [[nodiscard]] double cross_validated_error() const { return cross_validated_error_; }

 private:
  /// What cross-validation chooses.
  struct Shape {
    bool products = false;
    double penalty = 0.0;  ///< of standardised columns, relative to the number of rows
  };
  static FeatureModel fit_shape(const Eigen::MatrixXd& features, const Eigen::VectorXd& time_ms,
                                const Shape& shape);
  [[nodiscard]] Eigen::MatrixXd columns(const Eigen::MatrixXd& features) const;

  Shape shape_;
  Eigen::RowVectorXd feature_mean_;
  Eigen::RowVectorXd feature_factor_;  ///< 0 for constant features
  Eigen::RowVectorXd column_mean_;
  Eigen::RowVectorXd column_factor_;
  Eigen::VectorXd weights_;
  double intercept_ms_ = 0.0;
  double least_ms_ = 0.0;
  double cross_validated_error_ = 0.0;
};

}  // namespace omnifit::latency
