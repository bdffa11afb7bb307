#pragma once

#include "pipeline/evaluator.hpp"
#include "pipeline/run_context.hpp"
#include "pipeline/table_metrics.hpp"
#include "search/memo_evaluator.hpp"
#include "search/problem.hpp"
#include "search/search_store.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace omnifit::pipeline {

/// Devices whose latency a search needs and this job does not profile.
std::vector<std::string> imported_devices(RunContext& context);

/// What a job's searches know of a subnet: its accuracy from a predictor, from measuring it (active
/// search) or from the tables of a tabular space; its latency from the latency tables of the
/// profile stage and of devices that the project file knows; exact costs.
class JobScoring {
 public:
  /// `predictor`: see best_predictor(). @throws ConfigError if a budget or an objective names a
  /// device without a latency, or a metric that a tabular space lacks.
  JobScoring(RunContext& context, std::optional<predictors::AccuracyPredictor> predictor);
  /// Every metric of the job behind a memory that all its searches share.
  [[nodiscard]] search::MemoEvaluator& memory() { return *memory_; }
  /// Top-1 alone, where it is costly. @pre the job's search is active
  [[nodiscard]] search::Evaluator& measured() { return *measured_; }
  /// Every other metric; null if there is none. @pre the job's search is active
  [[nodiscard]] search::Evaluator* exact() { return exact_; }
  /// Where the accuracies come from.
  [[nodiscard]] search::SearchRunRow::Top1Source top1_source() const;

  /// nullopt where the job's search asks no predictor.
  [[nodiscard]] std::optional<double> predicted_top1(const space::Arch& arch) const;
  /// Estimate on the job's device; NaN if a unit was never measured. @throws ConfigError if the job
  /// has none. @pre the space is not tabular
  [[nodiscard]] double latency_ms(const space::Arch& arch) const;
  /// The sum over units behind a quantity; nullptr where it is none or is looked up.
  /// @throws ConfigError naming the devices if the quantity is of another one.
  [[nodiscard]] const space::AdditiveCost* additive(const Quantity& quantity) const {
    return estimates_ ? estimates_->additive(quantity) : nullptr;
  }
  /// Units without a latency on some device; archs that use one cannot be estimated there.
  [[nodiscard]] std::vector<space::LayerSpec> unmeasured_units() const;

  /// The bounds of a budget: relative ones lie between the smallest and the largest subnet, in a
  /// tabular space between the lowest and the highest value.
  [[nodiscard]] std::vector<Limit> limits(const BudgetConfig& budget) const;
  /// The job's objectives under those limits.
  [[nodiscard]] search::Problem problem(const std::vector<Limit>& limits) const;
  /// One problem for several budgets: the job's objectives and every quantity that a budget limits,
  /// within what the loosest of them allows. Its front holds the best of each budget.
  [[nodiscard]] search::Problem joint_problem(const std::vector<std::vector<Limit>>& budgets) const;
  /// What a search starts from: an arch that keeps all limits at once which are sums over units, if
  /// one was found, and for each limit an arch that keeps it if any does. In a tabular space of
  /// costs only: its accuracies are what a search is to find.
  [[nodiscard]] std::vector<space::Arch> seeds(const std::vector<Limit>& limits) const;
  /// The arch that keeps a limit best, and what it has of the quantity: exact where the quantity is
  /// a sum over units or looked up in tables, the smallest or largest subnet otherwise.
  [[nodiscard]] space::AdditiveCost::Extreme best_reachable(const Limit& limit) const;
  /// "latency <= 1.23 ms, macs <= 3.00 M".
  static std::string limits_text(const std::vector<Limit>& limits);

 private:
  void use_tables(RunContext& context);
  void use_estimates(RunContext& context);

  const space::SearchSpace& space_;
  std::vector<Quantity> objectives_;
  std::optional<predictors::AccuracyPredictor> predictor_;
  std::optional<TableMetrics> tables_;             ///< of a tabular space, else the next
  std::unique_ptr<PredictedEvaluator> estimates_;  ///< with top-1 where there is a predictor
  std::unique_ptr<search::Evaluator> all_;         ///< every metric; null: `estimates_` is that
  std::unique_ptr<search::Evaluator> measured_;    ///< of an active search
  std::unique_ptr<search::Evaluator> looked_up_;   ///< of an active search in tables, beside top-1
  search::Evaluator* exact_ = nullptr;
  std::unique_ptr<search::MemoEvaluator> memory_;
};

}  // namespace omnifit::pipeline
