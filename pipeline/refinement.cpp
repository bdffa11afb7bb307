#include "pipeline/refinement.hpp"

#include "core/units.hpp"
#include "pipeline/collection.hpp"
#include "pipeline/scoring.hpp"
#include "predictors/predictor_store.hpp"
#include "search/strategy.hpp"

#include <cmath>
#include <optional>
#include <unordered_set>

namespace omnifit::pipeline {
namespace {

predictors::AccuracyPredictor stored_predictor(RunContext& context, Stage stage) {
  return predictors::get_predictor(context.db(), context.results.at(stage).run_id, context.space(),
                                   context.io());
}

/// The best of every budget by `scoring`, without those that `known` has.
std::vector<space::Arch> hopeful_archs(RunContext& context, JobScoring& scoring,
                                       const AccuracySamples& known) {
  const SearchConfig& config = context.config().search;
  std::unordered_set<space::Arch, space::ArchHash> seen(known.archs.begin(), known.archs.end());
  std::vector<space::Arch> archs;
  for (const BudgetConfig& budget : config.all_budgets()) {
    const std::vector<Limit> limits = scoring.limits(budget);
    const search::SearchTrace trace = search::run_search(
        config.strategy_config(), context.space(), scoring.memory(), scoring.problem(limits),
        context.seed(), context.progress(), scoring.seeds(limits));
    if (!trace.best) continue;  // the search itself says so
    for (const std::size_t i : search::results(trace, config.refine_subnets)) {
      const space::Arch& arch = trace.archive[i].arch;
      if (seen.insert(arch).second) archs.push_back(arch);
    }
  }
  return archs;
}

/// Measures what the predictor hopes for and adds it to the samples. @return whether there was any
bool add_hopeful(RunContext& context, std::int64_t stage_run_id,
                 const predictors::AccuracyPredictor& predictor, int round,
                 AccuracySamples& samples) {
  JobScoring scoring(context, predictor);
  const std::vector<space::Arch> archs = hopeful_archs(context, scoring, samples);
  if (archs.empty()) return false;
  const auto accuracies =
      measure_accuracies(context, archs, supernet::Split::kValidation,
                         context.config().collect.max_images, "search: measure the hopeful");
  double error = 0.0;
  std::vector<double> predicted;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    predicted.push_back(scoring.predicted_top1(archs[i]).value());
    error += predicted.back() - accuracies[i].top1;
    samples.archs.push_back(archs[i]);
    samples.top1.push_back(accuracies[i].top1);
  }
  const RunContext::ArchWriter arch_id = context.arch_writer();
  context.db().write([&](SQLite::Database& sql) {
    std::vector<RefinementRow> rows;
    for (std::size_t i = 0; i < archs.size(); ++i) {
      rows.push_back({round, arch_id(sql, archs[i]), predicted[i], accuracies[i].top1});
    }
    put_refinement(sql, stage_run_id, rows);
  });
  const double mean = error / static_cast<double>(archs.size());
  context.progress().message(fmt::format(
      "search: round {}: {} hopeful subnets measured, on average {:.2f} points {} than predicted",
      round, archs.size(), 100.0 * std::abs(mean), mean > 0.0 ? "worse" : "better"));
  return true;
}

}  // namespace

AccuracySamples collected_samples(RunContext& context) {
  const CollectConfig& config = context.config().collect;
  AccuracySamples samples;
  samples.archs = collected_archs(context.space(), config, context.seed());
  for (const supernet::SubnetAccuracy& accuracy :
       measure_accuracies(context, samples.archs, supernet::Split::kValidation, config.max_images,
                          "collected accuracies")) {
    samples.top1.push_back(accuracy.top1);
  }
  return samples;
}

predictors::FitResult fit_predictor(RunContext& context, const AccuracySamples& samples) {
  return predictors::AccuracyPredictor::fit(context.space(), context.io(), samples.archs,
                                            samples.top1, context.config().fit, context.seed(),
                                            context.outer_threads(), context.prior());
}

void store_predictor(RunContext& context, std::int64_t stage_run_id,
                     const predictors::FitResult& result) {
  const std::int64_t space_id = context.space_id();
  const space::TaskIo io = context.io();
  predictors::put_predictor(context.db(), stage_run_id, space_id, result,
                            [&](SQLite::Database& sql, const space::Arch& arch) {
                              return put_arch(sql, space_id, context.space(), arch, io);
                            });
}

predictors::AccuracyPredictor refined_predictor(RunContext& context, std::int64_t stage_run_id) {
  const SearchConfig& config = context.config().search;
  const predictors::AccuracyPredictor fitted = stored_predictor(context, Stage::kFit);
  if (!context.config().refines()) return fitted;
  AccuracySamples samples = collected_samples(context);
  std::optional<predictors::FitResult> refined;
  for (int round = 1; round <= config.refinements; ++round) {
    if (!add_hopeful(context, stage_run_id, refined ? refined->predictor : fitted, round, samples))
      break;
    refined = fit_predictor(context, samples);
  }
  if (!refined) return fitted;
  store_predictor(context, stage_run_id, *refined);
  return refined->predictor;
}

std::optional<predictors::AccuracyPredictor> best_predictor(RunContext& context) {
  if (!context.config().predicts()) return std::nullopt;
  const auto search = context.results.find(Stage::kSearch);
  const bool refined = search != context.results.end() &&
                       predictors::get_fit_metrics(context.db(), search->second.run_id).has_value();
  return stored_predictor(context, refined ? Stage::kSearch : Stage::kFit);
}

}  // namespace omnifit::pipeline
