#pragma once

#include "pipeline/run_context.hpp"

#include <set>
#include <string>
#include <vector>

namespace omnifit::pipeline {

struct RunOptions {
  std::vector<Stage> stages;  ///< empty: all
  std::set<Stage> force;      ///< run again even if finished; what they stored before is replaced
  bool dry_run = false;
};

/// What happened, or with dry_run would happen, to a stage.
struct StageStatus {
  enum class State { kRan, kUpToDate, kWouldRun, kUnknown };
  Stage stage = Stage::kTrain;
  State state = State::kUnknown;
  std::string
      reason;  ///< "finished, inputs unchanged", "never run", "inputs changed", "waits for train" …
  double duration_s = 0.0;
};

/// Runs the stages of a job in order. A finished stage whose inputs are unchanged (hash of its
/// effective configuration and of what it consumes) is not run again. Every stage records its
/// state, so that a killed run goes on where it was. A stage that is not asked for must be finished
/// already if a later one consumes it.
/// @throws StateError naming the stage to run first; GoalError, EnvironmentError, Interrupted from
/// the stages, after their state is recorded.
std::vector<StageStatus> run_job(RunContext& context, const RunOptions& options);

/// Fills `context.results` with every stage of the job that is finished; runs nothing.
void use_finished_stages(RunContext& context);

/// The statuses of a dry run where there is no project file yet.
std::vector<StageStatus> never_run(const Job& job, const RunOptions& options);

/// "ran", "up to date", "would run", "unknown".
const char* state_name(StageStatus::State state);
/// Table of `statuses` for people.
std::string status_table(const std::vector<StageStatus>& statuses);

}  // namespace omnifit::pipeline
