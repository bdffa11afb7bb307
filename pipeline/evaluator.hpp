#pragma once

#include "latency_lut/latency_table.hpp"
#include "pipeline/budget.hpp"
#include "predictors/accuracy_predictor.hpp"
#include "search/evaluator.hpp"
#include "space/additive_cost.hpp"

#include <map>
#include <vector>

namespace omnifit::pipeline {

/// Scores archs by the accuracy predictor, the latency table's estimate and exact costs; nothing is
/// measured. Metrics: "top1", then every cost of all_costs(). Thread-safe; results do not depend on
/// `threads`.
class PredictedEvaluator final : public search::Evaluator {
 public:
  PredictedEvaluator(const space::SearchSpace& space, space::TaskIo io,
                     const predictors::AccuracyPredictor& predictor,
                     const latency::LatencyTable& latency, int threads);

  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override;

  /// One cost of one arch; NaN if a unit of it was never measured.
  [[nodiscard]] double cost(Cost cost, const space::Arch& arch) const;
  [[nodiscard]] double predicted_top1(const space::Arch& arch) const;
  /// The cheapest arch of a cost, exactly where the cost is a sum over units; the smallest subnet
  /// otherwise.
  [[nodiscard]] space::AdditiveCost::Extreme cheapest(Cost cost) const;
  /// Units without a latency; archs that use one cannot be estimated.
  [[nodiscard]] const std::vector<space::LayerSpec>& unmeasured_units() const;

 private:
  const space::SearchSpace& space_;
  space::TaskIo io_;
  const predictors::AccuracyPredictor& predictor_;
  int threads_;
  std::vector<search::Metric> metrics_;
  std::map<Cost, space::AdditiveCost>
      additive_;  ///< every cost but the peak memory, which is a maximum
};

}  // namespace omnifit::pipeline
