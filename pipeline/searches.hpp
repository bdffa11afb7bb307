#pragma once

#include "pipeline/run_context.hpp"
#include "pipeline/scoring.hpp"
#include "search/trace.hpp"

#include <cstdint>
#include <vector>

namespace omnifit::pipeline {

/// What one budget's search found.
struct BudgetSearch {
  BudgetConfig budget;
  std::vector<Limit> limits;
  search::Problem problem;
  search::SearchTrace trace;
};

/// Searches every budget of the job, and what each is compared with, and stores it all under the
/// stage run. Searches that ask a predictor or tables are one for each budget; they share one
/// memory of what was evaluated. An active search is one for all budgets: its archive is stored
/// batch by batch, so that a run that was stopped or killed goes on, with the result it would have
/// had.
/// @throws GoalError naming the first budget within which nothing was found; Interrupted
std::vector<BudgetSearch> run_searches(RunContext& context, JobScoring& scoring,
                                       std::int64_t stage_run_id);

/// Looks at every subnet of the space beside finished searches of the stage run, and stores that
/// under every budget as the strategy "exhaustive": what they left is then known. Its fronts are
/// shares of the box of the search they are compared with.
/// @throws Interrupted; ConfigError if the space is too large
void look_at_all(RunContext& context, JobScoring& scoring, std::int64_t stage_run_id);
/// Whether every budget of the job has that.
bool has_truth(RunContext& context, std::int64_t stage_run_id);

}  // namespace omnifit::pipeline
