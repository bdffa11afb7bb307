#include "core/node.hpp"
#include "report/loader.hpp"
#include "space/sampling.hpp"
#include "store/database.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace omnifit::report {
namespace {

/// Stages in the order of a run; the job of the last one that ran is the one the page is about.
constexpr std::array<const char*, 8> kStageOrder = {"train",  "profile", "collect", "fit",
                                                    "search", "verify",  "export",  "report"};

/// A scalar of the effective job; empty if it is not there or the text is not the YAML this version
/// reads.
std::string job_value(const std::string& yaml, const std::vector<std::string_view>& path) {
  try {
    const core::Node root = core::parse_yaml(yaml, "job");
    const core::Node* node = &root;
    for (const std::string_view key : path) {
      node = node->find(key);
      if (node == nullptr) return "";
    }
    return node->scalar;
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

ReportData load_report_data(const store::Database& database, const ReportRequest& request) {
  ReportData data;
  data.title = request.title;
  database.read([&](SQLite::Database& sql) {
    Loader loader(sql, request);
    loader.check_request(database.path().string());
    loader.load_job(data);
    loader.load_stages(data);
    loader.load_training(data);
    loader.load_latency(data);
    loader.load_accuracies(data);
    loader.load_predictor(data);
    loader.load_searches(data);
    loader.load_verified(data);
    loader.load_exports(data);
    loader.load_space_and_dataset(data);
  });
  if (data.title.empty()) data.title = data.space ? data.space->name : "omnifit";
  return data;
}

std::optional<double> optional_real(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return column.getDouble();
}

Loader::Loader(SQLite::Database& sql, const ReportRequest& request)
    : sql_(sql), request_(request) {}

void Loader::check_request(const std::string& file) const {
  for (const auto& [stage, id] : request_.stage_runs) {
    SQLite::Statement found(sql_, "SELECT 1 FROM stage_run WHERE id = ? AND stage = ?");
    found.bind(1, id);
    found.bind(2, stage);
    if (!found.executeStep()) {
      throw DataError(fmt::format("{}: no run {} of stage '{}' in this project", file, id, stage));
    }
  }
}

std::optional<std::int64_t> Loader::run_id(const std::string& stage) const {
  const auto found = request_.stage_runs.find(stage);
  if (found == request_.stage_runs.end()) return std::nullopt;
  return found->second;
}

void Loader::load_job(ReportData& data) {
  std::optional<std::int64_t> last_run;
  for (const char* stage : kStageOrder) {
    if (const auto id = run_id(stage)) last_run = id;
  }
  if (!last_run) return;
  SQLite::Statement row(
      sql_,
      "SELECT hash, yaml, source, omnifit_version, git_revision, libtorch_version, "
      "created_at, host FROM job WHERE id = (SELECT job_id FROM stage_run WHERE id = ?)");
  row.bind(1, *last_run);
  if (!row.executeStep()) return;
  JobInfo& job = data.job.emplace();
  job.hash = row.getColumn(0).getString();
  job.yaml = row.getColumn(1).getString();
  job.source = row.getColumn(2).getString();
  job.omnifit_version = row.getColumn(3).getString();
  job.git_revision = row.getColumn(4).getString();
  job.libtorch_version = row.getColumn(5).getString();
  job.created_at = row.getColumn(6).getString();
  job.host = facts_of_json(row.getColumn(7).getString(), "host");
  job.seed = job_value(job.yaml, {"seed"});
  const std::string page = job_value(job.yaml, {"report", "file"});
  if (!page.empty()) data.page_path = page;
}

void Loader::load_stages(ReportData& data) {
  for (const char* stage : kStageOrder) {
    const auto id = run_id(stage);
    if (!id) continue;
    SQLite::Statement row(
        sql_,
        "SELECT state, message, started_at, finished_at, duration_s FROM stage_run WHERE id = ?");
    row.bind(1, *id);
    if (!row.executeStep()) continue;
    StageRun run;
    run.stage = stage;
    run.state = row.getColumn(0).getString();
    run.message = row.getColumn(1).getString();
    run.started_at = row.getColumn(2).getString();
    if (!row.getColumn(3).isNull()) run.finished_at = row.getColumn(3).getString();
    run.duration_s = row.getColumn(4).getDouble();
    data.stages.push_back(std::move(run));
  }
}

void Loader::load_training(ReportData& data) {
  const auto train_id = run_id("train");
  if (!train_id) return;
  TrainingInfo& training = data.training.emplace();
  load_metrics(*train_id, training);
  SQLite::Statement row(
      sql_,
      "SELECT phase, path, size_bytes, sha256 FROM checkpoint WHERE stage_run_id = ? "
      "AND final = 1 ORDER BY phase_index DESC LIMIT 1");
  row.bind(1, *train_id);
  if (!row.executeStep()) return;
  training.final_checkpoint =
      CheckpointInfo{row.getColumn(0).getString(), row.getColumn(1).getString(),
                     row.getColumn(2).getInt64(), row.getColumn(3).getString()};
  checkpoint_sha256_ = training.final_checkpoint->sha256;
}

void Loader::load_metrics(std::int64_t train_id, TrainingInfo& training) {
  SQLite::Statement phase(
      sql_,
      "SELECT phase_index, phase, MAX(step), MAX(epoch) FROM train_metric "
      "WHERE stage_run_id = ? GROUP BY phase_index, phase ORDER BY phase_index, MIN(step)");
  phase.bind(1, train_id);
  std::int64_t steps_before = 0;
  while (phase.executeStep()) {
    const std::int64_t last_step = phase.getColumn(2).getInt64();
    // Not every step is recorded: a phase begins where the one before ended, not at its first
    // record. Weights that are used as they are have no steps at all.
    training.phases.push_back({phase.getColumn(0).getInt(), phase.getColumn(1).getString(),
                               std::min(steps_before + 1, last_step), last_step,
                               phase.getColumn(3).getDouble()});
    steps_before = last_step;
  }
  SQLite::Statement metric(
      sql_,
      "SELECT name, step, value FROM train_metric WHERE stage_run_id = ? ORDER BY name, step");
  metric.bind(1, train_id);
  while (metric.executeStep()) {
    const std::string name = metric.getColumn(0).getString();
    if (training.metrics.empty() || training.metrics.back().name != name) {
      training.metrics.push_back({name, {}});
    }
    training.metrics.back().points.push_back(
        {metric.getColumn(1).getInt64(), metric.getColumn(2).getDouble()});
  }
}

void Loader::load_space_and_dataset(ReportData& data) {
  // A project of one space (data set) needs no stage to tell which one it is.
  SQLite::Statement row(sql_,
                        "SELECT name, version, family, fingerprint, id FROM space WHERE id = ? "
                        "OR (? IS NULL AND (SELECT COUNT(*) FROM space) = 1)");
  if (space_id_) {
    row.bind(1, *space_id_);
    row.bind(2, *space_id_);
  }
  if (row.executeStep()) {
    data.space = SpaceInfo{row.getColumn(0).getString(), row.getColumn(1).getInt(),
                           row.getColumn(2).getString(), row.getColumn(3).getString(), 0.0};
    if (const space::SearchSpace* known = search_space(row.getColumn(4).getInt64())) {
      data.space->num_archs = static_cast<double>(space::cardinality(*known));
    }
  }
  SQLite::Statement set(
      sql_,
      "SELECT name, format, channels, image_px, num_classes, num_train, num_validation, "
      "num_test, fingerprint FROM dataset WHERE id = ? "
      "OR (? IS NULL AND (SELECT COUNT(*) FROM dataset) = 1)");
  if (dataset_id_) {
    set.bind(1, *dataset_id_);
    set.bind(2, *dataset_id_);
  }
  if (!set.executeStep()) return;
  DatasetInfo& info = data.dataset.emplace();
  info.name = set.getColumn(0).getString();
  info.format = set.getColumn(1).getString();
  info.channels = set.getColumn(2).getInt();
  info.image_px = set.getColumn(3).getInt();
  info.num_classes = set.getColumn(4).getInt();
  info.num_train = set.getColumn(5).getInt64();
  info.num_validation = set.getColumn(6).getInt64();
  info.num_test = set.getColumn(7).getInt64();
  info.fingerprint = set.getColumn(8).getString();
}

}  // namespace omnifit::report
