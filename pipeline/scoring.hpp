#pragma once

#include "pipeline/evaluator.hpp"
#include "pipeline/run_context.hpp"
#include "search/memo_evaluator.hpp"
#include "search/problem.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace omnifit::pipeline {

/// Devices whose latency a search needs and this job does not profile.
std::vector<std::string> imported_devices(RunContext& context);

/// The evaluator of a job with the predictor and the latency tables it needs.
class JobScoring {
 public:
  /// The latencies are those of the profile stage and of devices that the project file knows.
  /// @throws ConfigError if a budget or an objective names a device without one.
  JobScoring(RunContext& context, predictors::AccuracyPredictor predictor);
  [[nodiscard]] const PredictedEvaluator& evaluator() const { return *evaluator_; }
  /// The evaluator behind a memory that all searches of the job share.
  [[nodiscard]] search::MemoEvaluator& memory() { return *memory_; }

  /// The bounds of a budget: relative ones lie between the smallest and the largest subnet.
  [[nodiscard]] std::vector<Limit> limits(const BudgetConfig& budget) const;
  /// The job's objectives under those limits.
  [[nodiscard]] search::Problem problem(const std::vector<Limit>& limits) const;
  /// For each limit an arch that keeps it if any does: a search starts from them.
  [[nodiscard]] std::vector<space::Arch> seeds(const std::vector<Limit>& limits) const;
  /// The arch that keeps a limit best, and what it has of the quantity: exact where the quantity is
  /// a sum over units, the smallest or largest subnet otherwise.
  [[nodiscard]] space::AdditiveCost::Extreme best_reachable(const Limit& limit) const;
  /// "latency <= 1.23 ms, macs <= 3.00 M".
  static std::string limits_text(const std::vector<Limit>& limits);

 private:
  const space::SearchSpace& space_;
  std::vector<Quantity> objectives_;
  predictors::AccuracyPredictor predictor_;
  std::unique_ptr<PredictedEvaluator> evaluator_;
  std::unique_ptr<search::MemoEvaluator> memory_;
};

}  // namespace omnifit::pipeline
