#pragma once

#include "pipeline/evaluator.hpp"
#include "pipeline/run_context.hpp"
#include "search/problem.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace omnifit::pipeline {

/// The evaluator of a job with the predictor and the table it needs.
class JobScoring {
 public:
  /// The table is that of the profile stage.
  JobScoring(RunContext& context, predictors::AccuracyPredictor predictor);
  [[nodiscard]] PredictedEvaluator& evaluator() { return *evaluator_; }

  /// The absolute bounds of a budget: relative ones lie between the smallest and the largest
  /// subnet.
  [[nodiscard]] std::vector<std::pair<Cost, double>> bounds(const BudgetConfig& budget) const;
  /// The job's objectives under those bounds.
  [[nodiscard]] search::Problem problem(const std::vector<std::pair<Cost, double>>& bounds) const;
  /// Archs that keep a bound if any does: a search starts from them.
  [[nodiscard]] std::vector<space::Arch> seeds(
      const std::vector<std::pair<Cost, double>>& bounds) const;
  /// "latency <= 1.23 ms, macs <= 3.00 M".
  static std::string bounds_text(const std::vector<std::pair<Cost, double>>& bounds);

 private:
  const space::SearchSpace& space_;
  std::vector<std::string> objectives_;
  predictors::AccuracyPredictor predictor_;
  latency::LatencyTable latency_;
  std::unique_ptr<PredictedEvaluator> evaluator_;
};

}  // namespace omnifit::pipeline
