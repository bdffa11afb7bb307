#pragma once

#include "pipeline/evaluator.hpp"
#include "pipeline/run_context.hpp"
#include "search/problem.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace omnifit::pipeline {

/// The evaluator of a job with the predictor and the table it needs, as the fit and profile stages
/// left them.
class JobScoring {
 public:
  explicit JobScoring(RunContext& context);
  [[nodiscard]] PredictedEvaluator& evaluator() { return *evaluator_; }

  /// The absolute bounds of a budget: relative ones lie between the smallest and the largest
  /// subnet.
  [[nodiscard]] std::vector<std::pair<Cost, double>> bounds(const BudgetConfig& budget) const;
  /// "latency <= 1.23 ms, macs <= 3.00 M".
  static std::string bounds_text(const std::vector<std::pair<Cost, double>>& bounds);

 private:
  const space::SearchSpace& space_;
  predictors::AccuracyPredictor predictor_;
  latency::LatencyTable latency_;
  std::unique_ptr<PredictedEvaluator> evaluator_;
};

}  // namespace omnifit::pipeline
