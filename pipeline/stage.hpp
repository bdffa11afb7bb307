#pragma once

#include <string>
#include <vector>

namespace omnifit::pipeline {

/// The stages of a job, in the order they run.
enum class Stage { kTrain, kProfile, kCollect, kFit, kSearch, kVerify, kExport, kReport };

const std::vector<Stage>& all_stages();
/// "train", "profile" …: subcommand, `stage_run.stage` and --stage argument alike.
const std::string& stage_name(Stage stage);
/// Of all stages, in order.
std::vector<std::string> stage_names();
/// One line for --help and --dry-run.
const std::string& stage_summary(Stage stage);
/// @throws ConfigError listing the names, with a suggestion.
Stage parse_stage(const std::string& name);
/// Stages whose results this one consumes in a job that has all of them.
const std::vector<Stage>& consumed_stages(Stage stage);

}  // namespace omnifit::pipeline
