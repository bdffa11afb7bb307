#pragma once

#include "pipeline/run_context.hpp"
#include "predictors/accuracy_predictor.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace omnifit::pipeline {

/// Subnets with their measured validation accuracy: what a predictor is fitted on.
struct AccuracySamples {
  std::vector<space::Arch> archs;
  std::vector<double> top1;
};

/// The samples of the collect stage; those not stored yet are measured.
AccuracySamples collected_samples(RunContext& context);

/// Fits as the job's `fit` section says, and stores under a stage run.
predictors::FitResult fit_predictor(RunContext& context, const AccuracySamples& samples);
void store_predictor(RunContext& context, std::int64_t stage_run_id,
                     const predictors::FitResult& result);

/// The predictor the search ranks by. A search looks where a predictor is most hopeful, which is
/// where it errs most upwards. So, `search.refinements` times: search every budget, measure the
/// validation accuracy of the best `search.refine_subnets` per budget, and fit again on all that is
/// measured. With at least one refinement the last predictor is stored under the stage run, and
/// what each round had predicted beside what it measured. Deterministic; accuracies that are stored
/// already are not measured again.
predictors::AccuracyPredictor refined_predictor(RunContext& context, std::int64_t stage_run_id);

/// The predictor that the finished stages of this run left: the refined one where the search has
/// one, otherwise that of the fit stage; nullopt where the job's search asks none.
/// @pre fit has finished, if the search asks a predictor
std::optional<predictors::AccuracyPredictor> best_predictor(RunContext& context);

}  // namespace omnifit::pipeline
