#include "core/hash.hpp"
#include "core/units.hpp"
#include "pipeline/refinement.hpp"
#include "pipeline/stages/stages.hpp"
#include "predictors/predictor_store.hpp"

namespace omnifit::pipeline {
namespace {

std::string inputs(RunContext& context) {
  return fmt::format("seed {}\n{}", context.seed(), core::write_config(context.config().fit));
}

std::string run(RunContext& context, const StageRun& run) {
  const predictors::FitResult result = fit_predictor(context, collected_samples(context));
  store_predictor(context, run.id, result);
  for (const learn::ModelScore& score : result.scores) {
    context.progress().message(fmt::format("fit: {}: cross-validated Kendall tau {:.3f}, RMSE {}",
                                           core::enum_name(learn::model_choices(), score.model),
                                           score.kendall_tau, core::format_percent(score.rmse)));
  }
  const predictors::FitMetrics& metrics = result.metrics;
  context.progress().message(
      fmt::format("fit: {} on {} subnets; {} held out: Kendall tau {:.3f}, RMSE {}",
                  result.predictor.kind(), metrics.num_train, metrics.num_held_out,
                  metrics.kendall_tau, core::format_percent(metrics.rmse)));
  return core::hex64(predictors::predictor_hash(result.predictor));
}

/// Everything is in the project file.
bool outputs_present(RunContext&, const StageRun&) { return true; }

/// Its rows hang on the stage run.
void discard(RunContext&, const StageRun&) {}

}  // namespace

StageActions fit_actions() { return {inputs, run, outputs_present, discard}; }

}  // namespace omnifit::pipeline
