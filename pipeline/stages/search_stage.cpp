#include "core/hash.hpp"
#include "core/units.hpp"
#include "pipeline/pipeline_store.hpp"
#include "pipeline/scoring.hpp"
#include "pipeline/stages/stages.hpp"
#include "search/search_store.hpp"
#include "search/strategy.hpp"

#include <limits>

namespace omnifit::pipeline {
namespace {

std::string inputs(RunContext& context) {
  return fmt::format("seed {}\n{}", context.seed(), core::write_config(context.config().search));
}

search::Problem problem_of(const SearchConfig& config,
                           const std::vector<std::pair<Cost, double>>& bounds) {
  search::Problem problem;
  for (const std::string& metric : config.objectives)
    problem.objectives.push_back({metric, std::nullopt});
  for (const auto& [cost, value] : bounds)
    problem.bounds.push_back({cost_metric(cost), std::nullopt, value});
  return problem;
}

/// Bounds below the exact minimum of their cost, one line each; empty if every budget may be met.
std::string impossible_bounds(const SearchConfig& config, const JobScoring& scoring,
                              const PredictedEvaluator& evaluator) {
  std::string text;
  for (const BudgetConfig& budget : config.budgets) {
    for (const auto& [cost, value] : scoring.bounds(budget)) {
      const double cheapest = evaluator.cheapest(cost).cost;
      if (!(cheapest > value)) continue;
      text += fmt::format(
          "{}budget '{}': {} <= {} cannot be met: the cheapest subnet of the space has {}",
          text.empty() ? "" : "; ", budget.text(), cost_key(cost), format_cost(cost, value),
          format_cost(cost, cheapest));
    }
  }
  return text;
}

/// Archs that keep a bound if any does: a search starts from them.
std::vector<space::Arch> seeds_for(const PredictedEvaluator& evaluator,
                                   const std::vector<std::pair<Cost, double>>& bounds) {
  std::vector<space::Arch> seeds;
  for (const auto& [cost, value] : bounds) seeds.push_back(evaluator.cheapest(cost).arch);
  return seeds;
}

std::string run(RunContext& context, const StageRun& run) {
  const SearchConfig& config = context.config().search;
  JobScoring scoring(context);
  PredictedEvaluator& evaluator = scoring.evaluator();
  if (!evaluator.unmeasured_units().empty()) {
    context.progress().message(
        fmt::format("search: {} units of the space have no latency (e.g. {}); subnets that use one "
                    "are left out",
                    evaluator.unmeasured_units().size(),
                    space::spec_text(evaluator.unmeasured_units().front())));
  }
  if (const std::string impossible = impossible_bounds(config, scoring, evaluator);
      !impossible.empty()) {
    throw GoalError(impossible);
  }

  const std::int64_t space_id = context.space_id();
  const space::TaskIo io = context.io();
  std::string digest;
  for (const BudgetConfig& budget : config.budgets) {
    const auto bounds = scoring.bounds(budget);
    const search::Problem problem = problem_of(config, bounds);
    const std::vector<space::Arch> seeds = seeds_for(evaluator, bounds);
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
