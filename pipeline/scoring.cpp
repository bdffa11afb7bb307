#include "pipeline/scoring.hpp"

namespace omnifit::pipeline {

JobScoring::JobScoring(RunContext& context, predictors::AccuracyPredictor predictor)
    : space_(context.space()),
      objectives_(context.config().search.objectives),
      predictor_(std::move(predictor)),
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

search::Problem JobScoring::problem(const std::vector<std::pair<Cost, double>>& bounds) const {
  search::Problem problem;
  for (const std::string& metric : objectives_) {
    problem.objectives.push_back({metric, std::nullopt});
  }
  for (const auto& [cost, value] : bounds) {
    problem.bounds.push_back({cost_metric(cost), std::nullopt, value});
  }
  return problem;
}

std::vector<space::Arch> JobScoring::seeds(
    const std::vector<std::pair<Cost, double>>& bounds) const {
  std::vector<space::Arch> seeds;
  for (const auto& [cost, value] : bounds) seeds.push_back(evaluator_->cheapest(cost).arch);
  return seeds;
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
