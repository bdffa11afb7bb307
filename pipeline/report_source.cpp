#include "pipeline/report_source.hpp"

#include "report/report.hpp"

namespace omnifit::pipeline {

report::ReportData report_data(RunContext& context) {
  report::ReportRequest request;
  for (const auto& [stage, result] : context.results)
    request.stage_runs[stage_name(stage)] = result.run_id;
  const std::string& title = context.config().report.title;
  request.title = title.empty()
                      ? fmt::format("{} on {}", context.space().name(), context.dataset().name)
                      : title;
  return report::load_report_data(context.db(), request);
}

}  // namespace omnifit::pipeline
