#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "pipeline/report_source.hpp"
#include "pipeline/stages/stages.hpp"
#include "report/report.hpp"

#include <filesystem>

namespace omnifit::pipeline {
namespace {

std::string inputs(RunContext& context) { return core::write_config(context.config().report); }

std::string run(RunContext& context, const StageRun&) {
  const std::string html = report::render_html(report_data(context));
  const std::filesystem::path file = context.in_project(context.config().report.file);
  core::write_file_atomically(file, html);
  context.progress().message("report: " + core::path_text(file));
  return core::sha256_hex(html);
}

bool outputs_present(RunContext& context, const StageRun&) {
  return std::filesystem::exists(context.in_project(context.config().report.file));
}

void discard(RunContext&, const StageRun&) {}

}  // namespace

StageActions report_actions() { return {inputs, run, outputs_present, discard}; }

}  // namespace omnifit::pipeline
