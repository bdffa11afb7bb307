#include "core/hash.hpp"
#include "core/units.hpp"
#include "pipeline/pipeline_store.hpp"
#include "pipeline/refinement.hpp"
#include "pipeline/scoring.hpp"
#include "pipeline/stages/stages.hpp"
#include "predictors/predictor_store.hpp"
#include "search/search_store.hpp"
#include "search/strategy.hpp"

#include <limits>

namespace omnifit::pipeline {
namespace {

std::string inputs(RunContext& context) {
  return fmt::format("seed {}\n{}", context.seed(), core::write_config(context.config().search));
}

/// Costs are exact or sums over measured units: a bound below the cheapest subnet is known to be
/// impossible before anything is searched. @throws GoalError naming all of them
void throw_if_impossible(RunContext& context) {
  JobScoring scoring(context, best_predictor(context));
  std::string text;
  for (const BudgetConfig& budget : context.config().search.budgets) {
    for (const auto& [cost, value] : scoring.bounds(budget)) {
      const double cheapest = scoring.evaluator().cheapest(cost).cost;
      if (!(cheapest > value)) continue;
      text += fmt::format(
          "{}budget '{}': {} <= {} cannot be met: the cheapest subnet of the space has {}",
          text.empty() ? "" : "; ", budget.text(), cost_key(cost), format_cost(cost, value),
          format_cost(cost, cheapest));
    }
  }
  if (!text.empty()) throw GoalError(text);
}

std::string run(RunContext& context, const StageRun& run) {
  const SearchConfig& config = context.config().search;
  throw_if_impossible(context);
  const predictors::AccuracyPredictor predictor = refined_predictor(context, run.id);
  JobScoring scoring(context, predictor);
  PredictedEvaluator& evaluator = scoring.evaluator();
  if (!evaluator.unmeasured_units().empty()) {
    context.progress().message(
        fmt::format("search: {} units of the space have no latency (e.g. {}); subnets that use one "
                    "are left out",
                    evaluator.unmeasured_units().size(),
                    space::spec_text(evaluator.unmeasured_units().front())));
  }
  const std::int64_t space_id = context.space_id();
  const space::TaskIo io = context.io();
  // Verify stores predictions beside measurements.
  std::string digest = core::hex64(predictors::predictor_hash(predictor)) + "\n";
  for (const BudgetConfig& budget : config.budgets) {
    const auto bounds = scoring.bounds(budget);
    const search::Problem problem = scoring.problem(bounds);
    const std::vector<space::Arch> seeds = scoring.seeds(bounds);
    const auto search_and_store = [&](const search::StrategyConfig& strategy) {
      const std::string& name = search::strategy_name(strategy);
      const search::SearchTrace trace = search::run_search(
          strategy, context.space(), evaluator, problem, context.seed(), context.progress(), seeds);
      context.db().write([&](SQLite::Database& sql) {
        search::put_search(sql, {run.id, budget.text(), name, context.seed()}, problem, trace,
                           [&](const space::Arch& arch) {
                             return put_arch(sql, space_id, context.space(), arch, io);
                           },
                           {.max_results = config.candidates});
      });
      return trace;
    };
    const search::SearchTrace found = search_and_store(config.evolution);
    if (!found.best) {
      throw GoalError(fmt::format("budget '{}' ({}): {}", budget.text(),
                                  JobScoring::bounds_text(bounds),
                                  search::explain_infeasible(found, problem)));
    }
    for (const std::size_t i : search::results(found, config.candidates)) {
      digest += fmt::format("{} {}\n", budget.text(),
                            space::to_text(context.space(), found.archive[i].arch));
    }
    std::string against;
    if (config.random_baseline) {
      search::RandomConfig random;
      random.max_evaluations = static_cast<std::int64_t>(found.archive.size());
      const search::SearchTrace baseline = search_and_store(random);
      against = baseline.best
                    ? fmt::format("; random search: {}",
                                  core::format_percent(baseline.archive[*baseline.best].values[0]))
                    : "; random search found nothing";
    }
    const search::Evaluated& best = found.archive[*found.best];
    context.progress().message(fmt::format("search: {} ({}): predicted top-1 {} after {} subnets{}",
                                           budget.text(), JobScoring::bounds_text(bounds),
                                           core::format_percent(best.values[0]),
                                           found.archive.size(), against));
  }
  return core::sha256_hex(digest);
}

/// Everything is in the project file.
bool outputs_present(RunContext&, const StageRun&) { return true; }

/// Its rows hang on the stage run.
void discard(RunContext&, const StageRun&) {}

}  // namespace

StageActions search_actions() { return {inputs, run, outputs_present, discard}; }

}  // namespace omnifit::pipeline
