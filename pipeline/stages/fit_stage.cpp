#include "core/hash.hpp"
#include "core/units.hpp"
#include "pipeline/collection.hpp"
#include "pipeline/stages/stages.hpp"
#include "predictors/predictor_store.hpp"

namespace omnifit::pipeline {
namespace {

std::string inputs(RunContext& context) {
  return fmt::format("seed {}\n{}", context.seed(), core::write_config(context.config().fit));
}

std::string run(RunContext& context, const StageRun& run) {
  const CollectConfig& collect = context.config().collect;
  const std::vector<space::Arch> archs = collected_archs(context.space(), collect, context.seed());
  std::vector<double> top1;
  for (const supernet::SubnetAccuracy& accuracy : measure_accuracies(
           context, archs, supernet::Split::kValidation, collect.max_images, "fit: accuracies")) {
    top1.push_back(accuracy.top1);
  }
  const space::TaskIo io = context.io();
  const predictors::FitResult result =
      predictors::AccuracyPredictor::fit(context.space(), io, archs, top1, context.config().fit,
                                         context.seed(), context.outer_threads());
  const std::int64_t space_id = context.space_id();
  predictors::put_predictor(context.db(), run.id, space_id, result,
                            [&](SQLite::Database& sql, const space::Arch& arch) {
                              return put_arch(sql, space_id, context.space(), arch, io);
                            });
  for (const predictors::ModelScore& score : result.scores) {
    if (result.scores.size() < 2) break;
    context.progress().message(fmt::format("fit: {}: cross-validated Kendall tau {:.3f}, RMSE {}",
                                           score.kind, score.kendall_tau,
                                           core::format_percent(score.rmse)));
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
