#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "pipeline/pipeline_store.hpp"
#include "pipeline/report_source.hpp"
#include "pipeline/searches.hpp"
#include "pipeline/stages/stages.hpp"
#include "report/report.hpp"

#include <filesystem>

namespace omnifit::pipeline {
namespace {

/// What is stored beside a search's result is on the page too.
std::string inputs(RunContext& context) {
  std::string text = core::write_config(context.config().report);
  const auto search = context.results.find(Stage::kSearch);
  if (search != context.results.end() && has_truth(context, search->second.run_id)) {
    text += "with the best of all subnets\n";
  }
  return text;
}

std::string run(RunContext& context, const StageRun&) {
  const std::string html = report::render_html(report_data(context));
  const std::filesystem::path file = context.in_project(context.config().report.file);
  core::write_file_atomically(file, html);
  context.progress().message("report: " + core::path_text(file));
  return core::sha256_hex(html);
}

/// Jobs that differ may write the same page one after the other.
bool outputs_present(RunContext& context, const StageRun& run) {
  const std::filesystem::path file = context.in_project(context.config().report.file);
  if (!std::filesystem::exists(file)) return false;
  std::optional<StageRunRow> row;
  context.db().read(
      [&](SQLite::Database& sql) { row = find_stage_run(sql, Stage::kReport, run.input_hash); });
  return row && row->result_hash == core::sha256_file(file);
}

void discard(RunContext&, const StageRun&) {}

}  // namespace

StageActions report_actions() { return {inputs, run, outputs_present, discard}; }

}  // namespace omnifit::pipeline
