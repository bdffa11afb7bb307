#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/interrupt.hpp"
#include "exporters/export_bundle.hpp"
#include "exporters/exporters_store.hpp"
#include "pipeline/pipeline_store.hpp"
#include "pipeline/stages/stages.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

namespace omnifit::pipeline {
namespace {

/// How pictures of any size become images; none where all images have one size.
std::optional<exporters::PictureCut> picture_cut(const supernet::DataConfig& data) {
  if (data.format != supernet::DataFormat::kImageFolder) return std::nullopt;
  return exporters::PictureCut{data.effective_resize_px(), data.image_px};
}

std::string inputs(RunContext& context) {
  std::string text = fmt::format(
      "data {}\ncalibration_images {}\n{}", context.dataset().fingerprint,
      context.config().train.calibration_images, core::write_config(context.config().export_files));
  if (const auto cut = picture_cut(context.job().data)) {
    text += fmt::format("resize_px {}\ncentre_crop_px {}\n", cut->resize_px, cut->centre_crop_px);
  }
  return text;
}

std::vector<VerificationRow> winners(RunContext& context) {
  std::vector<VerificationRow> rows;
  context.db().read([&](SQLite::Database& sql) {
    rows = verifications(sql, context.results.at(Stage::kVerify).run_id);
  });
  rows.erase(std::remove_if(rows.begin(), rows.end(),
                            [](const VerificationRow& row) { return row.role != "winner"; }),
             rows.end());
  return rows;
}

std::string slug_of(const RunContext& context, const std::string& budget) {
  for (const BudgetConfig& candidate : context.config().search.all_budgets()) {
    if (candidate.text() == budget) return candidate.slug();
  }
  OMNIFIT_CHECK(false, "budget '{}' is not in the job", budget);
}

exporters::BundleRequest request_for(RunContext& context, const VerificationRow& winner,
                                     const space::Arch& arch) {
  const supernet::Dataset& dataset = context.dataset();
  exporters::BundleRequest request;
  request.name = slug_of(context, winner.budget);
  request.folder = context.in_project(context.config().export_files.folder);
  request.arch_text = space::to_text(context.space(), arch);
  request.arch_json = space::to_json(context.space(), arch);
  request.preprocessing.normalisation = {dataset.mean, dataset.deviation};
  request.preprocessing.embed = context.config().export_files.embed_normalisation;
  request.preprocessing.cut = picture_cut(context.job().data);
  request.figures = {.budget = winner.budget,
                     .predicted_top1 = winner.predicted_top1,
                     .measured_top1 = winner.measured_top1,
                     .estimated_latency_ms = winner.estimated_latency_ms,
                     .measured_latency_ms = winner.measured_latency_ms,
                     .device = context.config().device.name};
  return request;
}

void tell_unproven(RunContext& context, const std::vector<exporters::ExportedFile>& files) {
  for (const exporters::ExportedFile& file : files) {
    if (file.proof.state != exporters::ProofState::kNotProven) continue;
    const std::string text =
        fmt::format("{}: not proven: {}", core::path_text(file.path), file.proof.note);
    if (context.config().export_files.require_proof) throw EnvironmentError(text);
    context.progress().message("export: " + text);
  }
}

std::string run(RunContext& context, const StageRun& run) {
  const ExportConfig& config = context.config().export_files;
  const std::vector<VerificationRow> rows = winners(context);
  context.progress().begin("export", static_cast<std::int64_t>(rows.size()), "networks", 0);
  std::string digest;
  for (const VerificationRow& winner : rows) {
    core::check_interrupt();
    space::Arch arch;
    context.db().read(
        [&](SQLite::Database& sql) { arch = get_arch(sql, context.space(), winner.arch_id); });
    const supernet::EvalOptions options = context.eval_options(0);
    const std::vector<exporters::ExportedFile> files =
        exporters::export_bundle(context.subnet_evaluator().extract(arch, options),
                                 context.subnet_evaluator().proof_case(
                                     arch, supernet::Split::kTest, config.proof_images, options),
                                 request_for(context, winner, arch));
    tell_unproven(context, files);
    context.db().write([&](SQLite::Database& sql) {
      exporters::put_exports(sql, context.job().project_file.parent_path(), run.id, winner.budget,
                             winner.arch_id, files);
    });
    for (const exporters::ExportedFile& file : files)
      digest += file.path.filename().string() + " " + file.sha256 + "\n";
    context.progress().advance(1, winner.budget);
  }
  return core::sha256_hex(digest);
}

bool outputs_present(RunContext& context, const StageRun& run) {
  std::vector<exporters::ExportRow> rows;
  context.db().read([&](SQLite::Database& sql) { rows = exporters::exports(sql, run.id); });
  return std::all_of(rows.begin(), rows.end(), [&](const exporters::ExportRow& row) {
    const std::filesystem::path file = context.in_project(row.path.string());
    std::error_code ignored;
    return std::filesystem::file_size(file, ignored) == row.size_bytes &&
           core::sha256_file(file) == row.sha256;
  });
}

/// Its rows hang on the stage run; the files are written over.
void discard(RunContext&, const StageRun&) {}

}  // namespace

StageActions export_actions() { return {inputs, run, outputs_present, discard}; }

}  // namespace omnifit::pipeline
