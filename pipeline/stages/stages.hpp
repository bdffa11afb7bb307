#pragma once

#include "pipeline/run_context.hpp"

#include <cstdint>
#include <string>

namespace omnifit::pipeline {

/// The row of the stage run at hand.
struct StageRun {
  std::int64_t id = 0;
  std::string input_hash;
};

/// What the runner asks of every stage; one implementation per stage, dispatched in stages.cpp.
struct StageActions {
  /// Text of everything that decides the stage's result beside the consumed stages' results.
  std::string (*inputs)(RunContext& context);
  /// Does the work, resumably. @return hash of what was produced
  std::string (*run)(RunContext& context, const StageRun& run);
  /// False if files of a finished stage are missing or changed.
  bool (*outputs_present)(RunContext& context, const StageRun& run);
  /// Removes what the stage stored outside of rows that hang on its stage_run.
  void (*discard)(RunContext& context, const StageRun& run);
  /// What the command line asks for beside the result and is not there yet, in words; "" if
  /// nothing is. It hangs on the stage's run but changes neither its result nor whether it counts
  /// as finished. Null: the stage has nothing of the kind.
  std::string (*missing_extra)(RunContext& context, const StageRun& run) = nullptr;
  /// Makes that. @pre the stage is finished
  void (*run_extra)(RunContext& context, const StageRun& run) = nullptr;
};

const StageActions& stage_actions(Stage stage);

StageActions train_actions();
StageActions profile_actions();
StageActions collect_actions();
StageActions fit_actions();
StageActions search_actions();
StageActions verify_actions();
StageActions export_actions();
StageActions report_actions();

}  // namespace omnifit::pipeline
