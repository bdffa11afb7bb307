#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/units.hpp"
#include "pipeline/imported_latency.hpp"
#include "pipeline/joint_limits.hpp"
#include "pipeline/refinement.hpp"
#include "pipeline/searches.hpp"
#include "pipeline/stages/stages.hpp"
#include "predictors/predictor_store.hpp"

#include <cmath>
#include <string>
#include <vector>

namespace omnifit::pipeline {
namespace {

/// Of what the search looks up or measures itself; what a predictor says is the fit stage's result.
std::string accuracy_inputs(RunContext& context) {
  const JobConfig& config = context.config();
  if (config.tables) {
    std::string text = fmt::format("top1 {}\ndevice {}\n", config.tables->top1, config.device.name);
    for (const space::TabularFile& table : context.space().tables()) {
      text += fmt::format("table {}\n", core::sha256_file(context.tables_folder() / table.file));
    }
    return text;
  }
  if (!config.search.is_active()) return "";
  return fmt::format("data {}\ncalibration_images {}\nvalidation_images {}\n",
                     context.dataset().fingerprint, config.train.calibration_images,
                     config.collect.max_images);
}

std::string inputs(RunContext& context) {
  std::string text =
      fmt::format("seed {}\n{}{}", context.seed(), core::write_config(context.config().search),
                  accuracy_inputs(context));
  if (context.config().tables) return text;
  for (const std::string& device : imported_devices(context)) {
    if (const auto latency = imported_latency(context, device)) {
      text += fmt::format("device {} {}\n", device, core::hex64(latency->hash));
    }
  }
  return text;
}

/// A limit that no subnet keeps is known to be impossible before anything is searched, where the
/// quantity is a sum over units or in a table. @throws GoalError naming all of them
void throw_if_impossible(RunContext& context) {
  const JobScoring scoring(context, best_predictor(context));
  std::string text;
  for (const BudgetConfig& budget : context.config().search.all_budgets()) {
    const std::vector<Limit> limits = scoring.limits(budget);
    const std::size_t of_others = text.size();
    for (const Limit& limit : limits) {
      if (limit.quantity.is_top1() && !context.config().tables) continue;
      const double best = scoring.best_reachable(limit).cost;
      if (limit.kept_by(best) || std::isnan(best)) continue;
      text += fmt::format("{}budget '{}': {} cannot be met: the {} subnet of the space has {}",
                          text.empty() ? "" : "; ", budget.text(), limit.text(),
                          limit.at_least ? "dearest" : "cheapest", limit.quantity.format(best));
    }
    if (text.size() > of_others) continue;
    const std::string conflict =
        conflict_text(context.space(), limits,
                      [&](const Quantity& quantity) { return scoring.additive(quantity); });
    if (conflict.empty()) continue;
    text += fmt::format("{}budget '{}': {}", text.empty() ? "" : "; ", budget.text(), conflict);
  }
  if (!text.empty()) throw GoalError(text);
}

/// The predictor of the search proper, refined where the job asks for it.
std::optional<predictors::AccuracyPredictor> predictor_of(RunContext& context,
                                                          const StageRun& run) {
  if (!context.config().predicts()) return std::nullopt;
  return refined_predictor(context, run.id);
}

std::string run(RunContext& context, const StageRun& run) {
  throw_if_impossible(context);
  const std::optional<predictors::AccuracyPredictor> predictor = predictor_of(context, run);
  JobScoring scoring(context, predictor);
  const std::vector<space::LayerSpec> unmeasured = scoring.unmeasured_units();
  if (!unmeasured.empty()) {
    context.progress().message(
        fmt::format("search: {} units of the space have no latency (e.g. {}); subnets that use one "
                    "are left out",
                    unmeasured.size(), space::spec_text(unmeasured.front())));
  }
  // Verify stores predictions beside measurements.
  std::string digest = predictor ? core::hex64(predictors::predictor_hash(*predictor)) + "\n" : "";
  for (const BudgetSearch& search : run_searches(context, scoring, run.id)) {
    for (const std::size_t i : search::results(search.trace, context.config().search.candidates)) {
      const search::Evaluated& found = search.trace.archive[i];
      digest +=
          fmt::format("{} {}", search.budget.text(), space::to_text(context.space(), found.arch));
      // Without a predictor nothing else speaks for the accuracies.
      if (!predictor) digest += fmt::format(" {:a}", found.values.front());
      digest += '\n';
    }
  }
  return core::sha256_hex(digest);
}

/// Everything is in the project file.
bool outputs_present(RunContext&, const StageRun&) { return true; }

/// Its rows hang on the stage run.
void discard(RunContext&, const StageRun&) {}

/// --exhaustive: what the search left, beside whatever the job compares it with.
std::string missing_extra(RunContext& context, const StageRun& run) {
  if (!context.job().exhaustive) return "";
  return has_truth(context, run.id) ? "" : "looks at every subnet beside the search";
}

void run_extra(RunContext& context, const StageRun& run) {
  JobScoring scoring(context, best_predictor(context));
  look_at_all(context, scoring, run.id);
}

}  // namespace

StageActions search_actions() {
  return {inputs, run, outputs_present, discard, missing_extra, run_extra};
}

}  // namespace omnifit::pipeline
