#include "pipeline/result_summary.hpp"

#include "core/file_io.hpp"
#include "pipeline/report_source.hpp"
#include "report/summary_table.hpp"

#include <nlohmann/json.hpp>

namespace omnifit::pipeline {
namespace {

nlohmann::ordered_json stages_json(const std::vector<StageStatus>& statuses) {
  nlohmann::ordered_json stages = nlohmann::ordered_json::array();
  for (const StageStatus& status : statuses) {
    stages.push_back({{"stage", stage_name(status.stage)},
                      {"state", state_name(status.state)},
                      {"why", status.reason},
                      {"duration_s", status.duration_s}});
  }
  return stages;
}

}  // namespace

std::string result_table(RunContext& context) {
  std::string text = report::summary_table(report_data(context));
  text += "\nproject  " + core::path_text(context.job().project_file) + "\n";
  if (context.results.count(Stage::kReport) > 0) {
    text += "report   " + core::path_text(context.in_project(context.config().report.file)) + "\n";
  }
  return text;
}

std::string result_json(RunContext& context, const std::vector<StageStatus>& statuses) {
  nlohmann::ordered_json json =
      nlohmann::ordered_json::parse(report::summary_json(report_data(context)));
  json["stages"] = stages_json(statuses);
  json["project"] = core::path_text(context.job().project_file);
  return json.dump(2) + "\n";
}

std::string status_json(const std::vector<StageStatus>& statuses) {
  return nlohmann::ordered_json{{"stages", stages_json(statuses)}}.dump(2) + "\n";
}

}  // namespace omnifit::pipeline
