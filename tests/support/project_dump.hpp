#pragma once

#include "store/database.hpp"
#include "store/query.hpp"

#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace omnifit::test {

/// Everything a project file holds that must not depend on how often the run was killed: all tables
/// by their natural keys, without row ids, clock times and durations. The report's result hash is
/// left out, because the page shows durations.
inline std::string project_dump(const std::filesystem::path& file) {
  static const std::vector<std::pair<std::string, std::string>> kQueries{
      {"space", "SELECT fingerprint, name, version, family, yaml FROM space ORDER BY 1"},
      {"arch",
       "SELECT text, json, in_channels, num_classes, resolution_px, macs, params, "
       "peak_memory_bytes, model_bytes FROM arch ORDER BY 1"},
      {"dataset",
       "SELECT fingerprint, name, format, channels, image_px, num_classes, num_train, "
       "num_validation, num_test FROM dataset ORDER BY 1"},
      {"job", "SELECT hash, yaml, source FROM job ORDER BY 1"},
      {"stage_run",
       "SELECT stage, input_hash, CASE stage WHEN 'report' THEN '' ELSE result_hash END, state, "
       "message FROM stage_run ORDER BY 1, 2"},
      {"train_metric",
       "SELECT phase_index, phase, step, name, epoch, value FROM train_metric ORDER BY step, name"},
      {"checkpoint",
       "SELECT phase_index, phase, step, path, size_bytes, sha256, final FROM checkpoint ORDER BY "
       "1"},
      {"device",
       "SELECT name, runtime, threads, precision, description, fingerprint FROM device ORDER BY 1"},
      {"layer_latency",
       "SELECT spec, median_ms, p10_ms, p90_ms, n, source, protocol, failure FROM layer_latency "
       "ORDER BY 1"},
      {"network_latency",
       "SELECT a.text, purpose, median_ms, p10_ms, p90_ms, n, failure FROM network_latency JOIN "
       "arch a ON a.id = arch_id ORDER BY 1, 2"},
      {"latency_model",
       "SELECT kind, scale, offset_ms, num_fit, num_check, mape, within_10_percent, kendall_tau "
       "FROM latency_model"},
      {"accuracy",
       "SELECT a.text, checkpoint_sha256, split, precision, calibration, num_images, top1, top5, "
       "loss FROM accuracy JOIN arch a ON a.id = arch_id ORDER BY 1, 3"},
      {"predictor",
       "SELECT kind, layout_version, hex(weights), num_train, num_held_out, kendall_tau, spearman, "
       "rmse, mae FROM predictor"},
      {"predictor_check",
       "SELECT a.text, predicted_top1, measured_top1 FROM predictor_check JOIN arch a ON a.id = "
       "arch_id ORDER BY 1"},
      {"search_run",
       "SELECT budget, strategy, constraints, seed, num_evaluations, best_top1, hypervolume, "
       "stop_reason FROM "
       "search_run ORDER BY 1, 2"},
      {"search_generation",
       "SELECT r.budget, r.strategy, generation, g.num_evaluations, g.best_top1, mean_top1, "
       "feasible_share FROM search_generation g JOIN search_run r ON r.id = search_run_id ORDER BY "
       "1, 2, 3"},
      {"search_result",
       "SELECT r.budget, r.strategy, rank, a.text, r.top1_source, s.top1, latency_ms FROM "
       "search_result s JOIN search_run r ON r.id = search_run_id JOIN arch a ON a.id = arch_id "
       "ORDER BY 1, 2, 3"},
      {"search_archive",
       "SELECT budget, strategy, position, arch_text, metrics FROM search_archive ORDER BY 1, 2, "
       "3"},
      {"refinement_check",
       "SELECT round, a.text, predicted_top1, measured_top1 FROM refinement_check JOIN arch a ON "
       "a.id = arch_id ORDER BY 1, 2"},
      {"verification",
       "SELECT budget, step, a.text, role, predicted_top1, estimated_latency_ms, measured_top1, "
       "measured_latency_ms, bound FROM verification JOIN arch a ON a.id = arch_id ORDER BY 1, 2"},
      {"export",
       "SELECT budget, a.text, format, path, size_bytes, sha256, proof, max_rel_difference, note "
       "FROM export JOIN arch a ON a.id = arch_id ORDER BY 1, 3"}};
  const store::Database db(file, store::Database::Mode::kReadOnly);
  std::string dump;
  for (const auto& [table, sql] : kQueries) {
    dump += "== " + table + "\n";
    for (const std::vector<std::string>& row : store::query(db, sql).rows) {
      for (const std::string& value : row) dump += value + "|";
      dump += "\n";
    }
  }
  return dump;
}

/// First line in which two dumps differ, for a readable failure; empty if they are equal.
inline std::string first_difference(const std::string& a, const std::string& b) {
  std::istringstream left(a);
  std::istringstream right(b);
  std::string section;
  for (std::string x, y;;) {
    const bool more_left = static_cast<bool>(std::getline(left, x));
    const bool more_right = static_cast<bool>(std::getline(right, y));
    if (!more_left && !more_right) return "";
    if (more_left && x.rfind("== ", 0) == 0) section = x;
    if (more_left != more_right || x != y) return section + "\n  " + x + "\n  " + y;
  }
}

}  // namespace omnifit::test
