#pragma once

#include "pipeline/runner.hpp"

#include <string>
#include <vector>

namespace omnifit::pipeline {

/// The table a run ends with: a row per budget, then the largest and the smallest subnet, and where
/// the files are.
std::string result_table(RunContext& context);
/// Stages and results for scripts.
std::string result_json(RunContext& context, const std::vector<StageStatus>& statuses);
std::string status_json(const std::vector<StageStatus>& statuses);

}  // namespace omnifit::pipeline
