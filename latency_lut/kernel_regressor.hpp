#pragma once

#include "learn/regressor.hpp"
#include "space/plan.hpp"

#include <Eigen/Core>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace omnifit::latency {

/// A measured unit.
struct UnitTime {
  space::LayerSpec spec;
  double time_ms = 0.0;
};

/// What a unit or network costs, and how sure that is.
struct LatencyEstimate {
  double time_ms = 0.0;
  double deviation_ms = 0.0;  ///< standard deviation of what is estimated; 0 for measured units
  friend bool operator==(const LatencyEstimate&, const LatencyEstimate&) = default;
};
/// Of units that were not measured.
using EstimatedUnits = std::map<space::LayerSpec, LatencyEstimate>;

/// Numbers that describe a unit to a regression: kind, channels, kernel, stride, input size,
/// activation, squeeze-excite, multiply-accumulates and elements moved, most of them as logarithms.
Eigen::RowVectorXd unit_features(const space::LayerSpec& spec);
/// Names of the columns of unit_features.
const std::vector<std::string>& unit_feature_names();

/// Estimates units that were not measured from those that were, on one device.
///
/// A Gaussian process on the logarithm of the latency over standardised unit features. The
/// deviation is calibrated on units that were kept apart: it covers what the process does not know
/// and what a single measurement is off. A spec may stand in `times` several times. Immutable once
/// fitted; thread-safe.
class KernelRegressor {
 public:
  static constexpr int kMinUnits = 8;

  /// @throws std::invalid_argument with fewer than kMinUnits units or a time that is not positive.
  static KernelRegressor fit(std::span<const UnitTime> times);

  /// One per spec.
  [[nodiscard]] std::vector<LatencyEstimate> predict(std::span<const space::LayerSpec> specs) const;
  [[nodiscard]] LatencyEstimate predict(const space::LayerSpec& spec) const;
  /// Standard deviation of ln(measured) where the process itself is sure; about the relative error.
  [[nodiscard]] double noise() const { return noise_; }

 private:
  struct Scaling {
    Eigen::RowVectorXd mean;
    Eigen::RowVectorXd inverse_scale;  ///< 0 for constant columns
  };
  static Eigen::MatrixXd features(std::span<const space::LayerSpec> specs);
  [[nodiscard]] learn::Prediction predict_log(std::span<const space::LayerSpec> specs) const;
  void fit_process(const Eigen::MatrixXd& x, const Eigen::VectorXd& log_ms);

  Scaling scaling_;
  std::shared_ptr<const learn::Regressor> process_;
  double noise_ = 0.0;
};

/// Which `count` of the units to measure so that a KernelRegressor knows the rest best: the unit
/// farthest (in standardised features) from every unit chosen so far, again and again, beginning
/// with the one nearest the middle. Deterministic; the first n of a choice of m > n are the choice
/// of n. @return ascending indices into `units`; all of them if there are no more.
std::vector<std::size_t> choose_units(std::span<const space::LayerSpec> units, std::size_t count);

}  // namespace omnifit::latency
