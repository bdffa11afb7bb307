#pragma once

#include "pipeline/run_context.hpp"
#include "report/report_data.hpp"

namespace omnifit::pipeline {

/// What the report says about the stages of this run that are finished.
report::ReportData report_data(RunContext& context);

}  // namespace omnifit::pipeline
