#include "core/hash.hpp"
#include "core/units.hpp"
#include "pipeline/imported_latency.hpp"
#include "pipeline/pipeline_store.hpp"
#include "pipeline/refinement.hpp"
#include "pipeline/scoring.hpp"
#include "pipeline/stages/stages.hpp"
#include "predictors/predictor_store.hpp"
#include "search/search_store.hpp"
#include "search/strategy.hpp"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace omnifit::pipeline {
namespace {

std::string inputs(RunContext& context) {
  std::string text =
      fmt::format("seed {}\n{}", context.seed(), core::write_config(context.config().search));
  for (const std::string& device : imported_devices(context)) {
    if (const auto latency = imported_latency(context, device)) {
      text += fmt::format("device {} {}\n", device, core::hex64(latency->hash));
    }
  }
  return text;
}

/// A limit that no subnet keeps is known to be impossible before anything is searched, where the
/// quantity is a sum over units. @throws GoalError naming all of them
void throw_if_impossible(RunContext& context) {
  JobScoring scoring(context, best_predictor(context));
  std::string text;
  for (const BudgetConfig& budget : context.config().search.all_budgets()) {
    for (const Limit& limit : scoring.limits(budget)) {
      if (!limit.quantity.cost) continue;
      const double best = scoring.best_reachable(limit).cost;
      if (limit.kept_by(best) || std::isnan(best)) continue;
      text += fmt::format("{}budget '{}': {} cannot be met: the {} subnet of the space has {}",
                          text.empty() ? "" : "; ", budget.text(), limit.text(),
                          limit.at_least ? "dearest" : "cheapest", limit.quantity.format(best));
    }
  }
  if (!text.empty()) throw GoalError(text);
}

/// What one budget's search found.
struct BudgetSearch {
  BudgetConfig budget;
  std::vector<Limit> limits;
  search::Problem problem;
  search::SearchTrace trace;
};

/// All searches of a job: they share one memory of what was evaluated.
class Searches {
 public:
  Searches(RunContext& context, JobScoring& scoring, std::int64_t stage_run_id)
      : context_(context), scoring_(scoring), stage_run_id_(stage_run_id) {}

  BudgetSearch search(const BudgetConfig& budget) {
    BudgetSearch result{budget, scoring_.limits(budget), {}, {}};
    result.problem = scoring_.problem(result.limits);
    result.trace = run(context_.config().search.strategy_config(), result);
    return result;
  }

  /// Stores a search and what it is compared with. @throws GoalError if it found nothing
  void finish(BudgetSearch& result) {
    search::adopt(result.trace, result.problem, scoring_.memory());
    store(context_.config().search.strategy_config(), result, result.trace);
    if (!result.trace.best) {
      throw GoalError(fmt::format("budget '{}' ({}): {}", result.budget.text(),
                                  JobScoring::limits_text(result.limits),
                                  search::explain_infeasible(result.trace, result.problem)));
    }
    const auto num_evaluations = result.trace.generations.back().num_evaluations;
    std::string against;
    for (const search::StrategyConfig& baseline :
         context_.config().search.baseline_configs(num_evaluations)) {
      const search::SearchTrace trace = run(baseline, result);
      store(baseline, result, trace);
      against += fmt::format("; {}: {}", search::strategy_name(baseline), best_text(result, trace));
    }
    context_.progress().message(
        fmt::format("search: {} ({}): {} after {} subnets{}", result.budget.text(),
                    JobScoring::limits_text(result.limits), best_text(result, result.trace),
                    num_evaluations, against));
  }

 private:
  search::SearchTrace run(const search::StrategyConfig& strategy, const BudgetSearch& of) {
    return search::run_search(strategy, context_.space(), scoring_.memory(), of.problem,
                              context_.seed(), context_.progress(), scoring_.seeds(of.limits));
  }

  void store(const search::StrategyConfig& strategy, const BudgetSearch& of,
             const search::SearchTrace& trace) {
    const std::int64_t space_id = context_.space_id();
    const space::TaskIo io = context_.io();
    context_.db().write([&](SQLite::Database& sql) {
      search::put_search(
          sql, {stage_run_id_, of.budget.text(), search::strategy_name(strategy), context_.seed()},
          of.problem, trace,
          [&](const space::Arch& arch) {
            return put_arch(sql, space_id, context_.space(), arch, io);
          },
          {.max_results = context_.config().search.candidates});
    });
  }

  /// "predicted top-1 92.31 %", or another first objective.
  static std::string best_text(const BudgetSearch& of, const search::SearchTrace& trace) {
    if (!trace.best) return "nothing";
    const Quantity objective = parse_metric(of.problem.objectives.front().metric);
    const double value =
        trace.archive[*trace.best].values.at(trace.column(objective.metric()).value());
    return fmt::format("{} {}", objective.cost ? "estimated " + objective.key() : "predicted top-1",
                       objective.format(value));
  }

  RunContext& context_;
  JobScoring& scoring_;
  std::int64_t stage_run_id_;
};

std::string run(RunContext& context, const StageRun& run) {
  const SearchConfig& config = context.config().search;
  throw_if_impossible(context);
  const predictors::AccuracyPredictor predictor = refined_predictor(context, run.id);
  JobScoring scoring(context, predictor);
  const std::vector<space::LayerSpec> unmeasured = scoring.evaluator().unmeasured_units();
  if (!unmeasured.empty()) {
    context.progress().message(
        fmt::format("search: {} units of the space have no latency (e.g. {}); subnets that use one "
                    "are left out",
                    unmeasured.size(), space::spec_text(unmeasured.front())));
  }
  Searches searches(context, scoring, run.id);
  std::vector<BudgetSearch> found;
  for (const BudgetConfig& budget : config.all_budgets()) found.push_back(searches.search(budget));
  // Verify stores predictions beside measurements.
  std::string digest = core::hex64(predictors::predictor_hash(predictor)) + "\n";
  for (BudgetSearch& search : found) {
    searches.finish(search);
    for (const std::size_t i : search::results(search.trace, config.candidates)) {
      digest += fmt::format("{} {}\n", search.budget.text(),
                            space::to_text(context.space(), search.trace.archive[i].arch));
    }
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
