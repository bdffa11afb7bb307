#pragma once

#include "pipeline/budget.hpp"
#include "predictors/accuracy_predictor.hpp"
#include "search/evaluator.hpp"
#include "space/additive_cost.hpp"

#include <map>
#include <string>
#include <vector>

namespace omnifit::pipeline {

/// What a device charges, as gene-indexed tables: from a profile, from imported tables, or from
/// whole networks.
struct DeviceLatency {
  std::string device;
  space::AdditiveCost estimate_ms;
};

/// Scores archs by the accuracy predictor, the devices' latency estimates and exact costs; nothing
/// is measured. Metrics: the quantities it is made for, by Quantity::metric(). Thread-safe; results
/// do not depend on `threads`.
class PredictedEvaluator final : public search::Evaluator {
 public:
  /// `predictor` may be null where top-1 is not among the quantities and is not asked for.
  /// @pre `latencies` holds the job's device first, no name twice
  /// @throws ConfigError naming the devices if a quantity is of another one.
  PredictedEvaluator(const space::SearchSpace& space, space::TaskIo io,
                     const predictors::AccuracyPredictor* predictor,
                     std::vector<DeviceLatency> latencies, std::vector<Quantity> quantities,
                     int threads);

  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override;
  [[nodiscard]] std::vector<search::AdditiveMetric> additive_metrics() const override;
  [[nodiscard]] int threads() const override { return threads_; }

  /// Any quantity of one arch; NaN if a unit of it was never measured. @throws ConfigError naming
  /// the devices if the quantity is of another one.
  [[nodiscard]] double value(const Quantity& quantity, const space::Arch& arch) const;
  /// The sum over units behind a quantity; nullptr where it is none: accuracy and peak memory.
  /// @throws ConfigError as value().
  [[nodiscard]] const space::AdditiveCost* additive(const Quantity& quantity) const;
  /// Units without a latency on some device; archs that use one cannot be estimated there.
  [[nodiscard]] std::vector<space::LayerSpec> unmeasured_units() const;

 private:
  [[nodiscard]] Eigen::VectorXd predict(std::span<const space::Arch> archs) const;
  [[nodiscard]] const DeviceLatency& latency_of(const std::string& device) const;

  const space::SearchSpace& space_;
  space::TaskIo io_;
  const predictors::AccuracyPredictor* predictor_;
  int threads_;
  std::vector<DeviceLatency> latencies_;
  std::vector<Quantity> quantities_;
  std::vector<search::Metric> metrics_;
  std::map<Cost, space::AdditiveCost> exact_;  ///< sums over units: MACs, parameters, model size
};

}  // namespace omnifit::pipeline
