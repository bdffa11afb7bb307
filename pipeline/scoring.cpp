#include "pipeline/scoring.hpp"

#include "predictors/predictor_store.hpp"

namespace omnifit::pipeline {

JobScoring::JobScoring(RunContext& context)
    : space_(context.space()),
      predictor_(predictors::get_predictor(context.db(), context.results.at(Stage::kFit).run_id,
                                           context.space(), context.io())),
      latency_(latency::LatencyTable::of_stage(
          context.db(), context.results.at(Stage::kProfile).run_id,
          latency::protocol_hash(context.config().profile.protocol))),
      evaluator_(std::make_unique<PredictedEvaluator>(context.space(), context.io(), predictor_,
                                                      latency_, context.outer_threads())) {}

std::vector<std::pair<Cost, double>> JobScoring::bounds(const BudgetConfig& budget) const {
  const space::Arch smallest = space::smallest(space_);
  const space::Arch largest = space::largest(space_);
  std::vector<std::pair<Cost, double>> result;
  for (const Bound& bound : budget.bounds()) {
    result.emplace_back(bound.cost, bound.resolve(evaluator_->cost(bound.cost, smallest),
                                                  evaluator_->cost(bound.cost, largest)));
  }
  return result;
}

std::string JobScoring::bounds_text(const std::vector<std::pair<Cost, double>>& bounds) {
  std::string text;
  for (const auto& [cost, value] : bounds) {
    text += fmt::format("{}{} <= {}", text.empty() ? "" : ", ", cost_key(cost),
                        format_cost(cost, value));
  }
  return text;
}

}  // namespace omnifit::pipeline
