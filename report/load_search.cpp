#include "report/loader.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace omnifit::report {
namespace {

std::map<std::string, double> bounds_of_json(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  std::map<std::string, double> bounds;
  if (!json.is_object()) return bounds;
  for (const auto& [metric, bound] : json.items()) {
    if (bound.is_number()) bounds[metric] = bound.get<double>();
  }
  return bounds;
}

/// The predictor that a stage run stored, with the subnets it was judged on.
std::optional<PredictorInfo> predictor_of_run(SQLite::Database& sql, std::int64_t stage_run_id) {
  SQLite::Statement row(sql,
                        "SELECT id, kind, num_train, num_held_out, kendall_tau, spearman, rmse, "
                        "mae FROM predictor WHERE stage_run_id = ?");
  row.bind(1, stage_run_id);
  if (!row.executeStep()) return std::nullopt;
  PredictorInfo predictor;
  predictor.kind = row.getColumn(1).getString();
  predictor.imported = row.getColumn(2).isNull();
  predictor.num_train = row.getColumn(2).getInt64();
  predictor.num_held_out = row.getColumn(3).getInt64();
  predictor.kendall_tau = row.getColumn(4).getDouble();
  predictor.spearman = row.getColumn(5).getDouble();
  predictor.rmse = row.getColumn(6).getDouble();
  predictor.mae = row.getColumn(7).getDouble();
  SQLite::Statement check(
      sql,
      "SELECT a.text, c.predicted_top1, c.measured_top1 FROM predictor_check c JOIN arch a "
      "ON a.id = c.arch_id WHERE c.predictor_id = ? ORDER BY a.text");
  check.bind(1, row.getColumn(0).getInt64());
  while (check.executeStep()) {
    predictor.checks.push_back({check.getColumn(0).getString(), check.getColumn(1).getDouble(),
                                check.getColumn(2).getDouble()});
  }
  return predictor;
}

Top1Source source_of(const std::string& name) {
  if (name == "measured") return Top1Source::kMeasured;
  return name == "table" ? Top1Source::kTable : Top1Source::kPredicted;
}

/// The rounds of a search that refined its predictor.
std::vector<RefinementRound> refinement_of_run(SQLite::Database& sql, std::int64_t stage_run_id) {
  SQLite::Statement row(sql,
                        "SELECT round, a.text, predicted_top1, measured_top1 FROM refinement_check "
                        "JOIN arch a ON a.id = arch_id WHERE stage_run_id = ? ORDER BY 1, 2");
  row.bind(1, stage_run_id);
  std::vector<RefinementRound> rounds;
  while (row.executeStep()) {
    const int round = row.getColumn(0).getInt();
    if (rounds.empty() || rounds.back().round != round) rounds.push_back({round, {}});
    rounds.back().checks.push_back(
        {row.getColumn(1).getString(), row.getColumn(2).getDouble(), row.getColumn(3).getDouble()});
  }
  return rounds;
}

}  // namespace

bool Loader::search_measures() const {
  SQLite::Statement run(
      sql_, "SELECT 1 FROM search_run WHERE stage_run_id = ? AND top1_source = 'measured'");
  const auto search_id = run_id("search");
  if (search_id) run.bind(1, *search_id);
  return run.executeStep();
}

void Loader::load_accuracies(ReportData& data) {
  if (checkpoint_sha256_.empty()) return;
  SQLite::Statement set(
      sql_, "SELECT dataset_id FROM accuracy WHERE checkpoint_sha256 = ? ORDER BY id DESC LIMIT 1");
  set.bind(1, checkpoint_sha256_);
  if (!set.executeStep()) return;
  dataset_id_ = set.getColumn(0).getInt64();
  if (!run_id("collect") && !search_measures()) return;
  // Subnets measured on other numbers of images are not comparable: only the latest kind is shown.
  SQLite::Statement row(
      sql_,
      "SELECT a.text, a.macs, c.top1, c.num_images, a.space_id FROM accuracy c JOIN arch a "
      "ON a.id = c.arch_id WHERE c.checkpoint_sha256 = ?1 AND c.split = 'validation' AND "
      "(c.dataset_id, c.calibration, c.num_images) = (SELECT dataset_id, calibration, "
      "num_images FROM accuracy WHERE checkpoint_sha256 = ?1 AND split = 'validation' "
      "ORDER BY id DESC LIMIT 1) ORDER BY a.macs, a.text");
  row.bind(1, checkpoint_sha256_);
  while (row.executeStep()) {
    data.accuracies.push_back({row.getColumn(0).getString(), row.getColumn(1).getInt64(),
                               row.getColumn(2).getDouble(), row.getColumn(3).getInt64()});
    if (!space_id_) space_id_ = row.getColumn(4).getInt64();
  }
}

void Loader::load_predictor(ReportData& data) {
  const auto fit_id = run_id("fit");
  if (!fit_id) return;
  data.predictor = predictor_of_run(sql_, *fit_id);
  if (!data.predictor) return;
  space_id_ = sql_.execAndGet("SELECT space_id FROM predictor WHERE stage_run_id = " +
                              std::to_string(*fit_id))
                  .getInt64();
  if (const auto search_id = run_id("search")) {
    data.refined_predictor = predictor_of_run(sql_, *search_id);
    data.refinement = refinement_of_run(sql_, *search_id);
  }
}

void Loader::load_searches(ReportData& data) {
  const auto search_id = run_id("search");
  if (!search_id) return;
  SQLite::Statement row(
      sql_,
      "SELECT id, budget, strategy, constraints, seed, num_evaluations, best_top1, "
      "stop_reason, top1_source, hypervolume FROM search_run WHERE stage_run_id = ? ORDER BY id");
  row.bind(1, *search_id);
  while (row.executeStep()) {
    SearchRun run;
    run.budget = row.getColumn(1).getString();
    run.strategy = row.getColumn(2).getString();
    // A search stores itself before what it is compared with.
    run.baseline =
        std::ranges::find(data.searches, run.budget, &SearchRun::budget) != data.searches.end();
    run.bounds = bounds_of_json(row.getColumn(3).getString());
    run.seed = static_cast<std::uint64_t>(row.getColumn(4).getInt64());
    run.num_evaluations = row.getColumn(5).getInt64();
    run.best_top1 = optional_real(row.getColumn(6));
    run.stop_reason = row.getColumn(7).getString();
    run.top1_source = source_of(row.getColumn(8).getString());
    run.hypervolume = optional_real(row.getColumn(9));
    const std::int64_t id = row.getColumn(0).getInt64();
    load_generations(id, run);
    load_candidates(id, run);
    data.searches.push_back(std::move(run));
  }
}

void Loader::load_generations(std::int64_t search_run_id, SearchRun& run) {
  SQLite::Statement row(sql_,
                        "SELECT num_evaluations, best_top1, feasible_share, hypervolume FROM "
                        "search_generation WHERE search_run_id = ? ORDER BY generation");
  row.bind(1, search_run_id);
  while (row.executeStep()) {
    run.generations.push_back({row.getColumn(0).getInt64(), optional_real(row.getColumn(1)),
                               row.getColumn(2).getDouble(), optional_real(row.getColumn(3))});
  }
}

void Loader::load_candidates(std::int64_t search_run_id, SearchRun& run) {
  SQLite::Statement row(sql_,
                        "SELECT arch_id, top1, latency_ms FROM search_result "
                        "WHERE search_run_id = ? ORDER BY rank");
  row.bind(1, search_run_id);
  while (row.executeStep()) {
    const StoredArch& stored = arch(row.getColumn(0).getInt64());
    if (!space_id_) space_id_ = stored.space_id;
    run.results.push_back(
        {stored.info, row.getColumn(1).getDouble(), optional_real(row.getColumn(2))});
  }
}

void Loader::load_verified(ReportData& data) {
  const auto verify_id = run_id("verify");
  if (!verify_id) return;
  SQLite::Statement row(
      sql_,
      "SELECT budget, step, role, arch_id, predicted_top1, estimated_latency_ms, "
      "measured_top1, measured_latency_ms, bound FROM verification WHERE stage_run_id = ? "
      "ORDER BY budget, step");
  row.bind(1, *verify_id);
  while (row.executeStep()) {
    const StoredArch& stored = arch(row.getColumn(3).getInt64());
    VerifiedNetwork network;
    network.budget = row.getColumn(0).getString();
    network.step = row.getColumn(1).getInt();
    network.role = row.getColumn(2).getString();
    network.arch = stored.info;
    network.predicted_top1 = optional_real(row.getColumn(4));
    network.estimated_latency_ms = optional_real(row.getColumn(5));
    network.measured_top1 = optional_real(row.getColumn(6));
    network.measured_latency_ms = optional_real(row.getColumn(7));
    network.bound = row.getColumn(8).getString();
    if (!space_id_) space_id_ = stored.space_id;
    data.verified.push_back(std::move(network));
  }
}

void Loader::load_exports(ReportData& data) {
  const auto export_id = run_id("export");
  if (!export_id) return;
  SQLite::Statement row(
      sql_,
      "SELECT budget, format, path, size_bytes, sha256, proof, max_rel_difference, note "
      "FROM export WHERE stage_run_id = ? ORDER BY budget, instr('onnx torchscript safetensors "
      "json', format), format");
  row.bind(1, *export_id);
  while (row.executeStep()) {
    ExportedFile file;
    file.budget = row.getColumn(0).getString();
    file.format = row.getColumn(1).getString();
    file.path = row.getColumn(2).getString();
    file.size_bytes = row.getColumn(3).getInt64();
    file.sha256 = row.getColumn(4).getString();
    file.proof = row.getColumn(5).getString();
    file.max_rel_difference = optional_real(row.getColumn(6));
    file.note = row.getColumn(7).getString();
    data.exports.push_back(std::move(file));
  }
}

}  // namespace omnifit::report
