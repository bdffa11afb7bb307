#include "pipeline/report_source.hpp"

#include "report/report.hpp"

namespace omnifit::pipeline {

report::ReportData report_data(RunContext& context) {
  report::ReportRequest request;
  for (const auto& [stage, result] : context.results)
    request.stage_runs[stage_name(stage)] = result.run_id;
  request.title = context.config().report.title;
  if (request.title.empty()) {
    // A job that names its task reads no images, nor does one that looks everything up.
    request.title = context.config().task || context.config().tables
                        ? context.space().name()
                        : fmt::format("{} on {}", context.space().name(), context.dataset().name);
  }
  return report::load_report_data(context.db(), request);
}

}  // namespace omnifit::pipeline
