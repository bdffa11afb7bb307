#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/units.hpp"
#include "pipeline/refinement.hpp"
#include "pipeline/stages/stages.hpp"
#include "predictors/predictor_store.hpp"

namespace omnifit::pipeline {
namespace {

std::string inputs(RunContext& context) {
  predictors::FitConfig config = context.config().fit;
  // What the files hold matters, not where they lie.
  if (!config.predictor.empty()) config.predictor = core::sha256_file(context.job().predictor);
  if (const auto prior = context.prior()) config.prior = core::hex64(prior->hash());
  return fmt::format("seed {}\n{}", context.seed(), core::write_config(config));
}

/// Takes a predictor that was trained elsewhere.
std::string import_predictor(RunContext& context, const StageRun& run) {
  const std::filesystem::path& file = context.job().predictor;
  const auto predictor = predictors::AccuracyPredictor::imported(
      predictors::ReferencePredictor::load(file, context.space()));
  predictors::put_imported_predictor(context.db(), run.id, context.space_id(), predictor,
                                     {core::path_text(file.filename()), core::sha256_file(file)});
  context.progress().message("fit: took the predictor of " + core::path_text(file));
  return core::hex64(predictors::predictor_hash(predictor));
}

std::string run(RunContext& context, const StageRun& run) {
  if (!context.job().predictor.empty()) return import_predictor(context, run);
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
