#include "pipeline/pipeline_store.hpp"

#include "core/error.hpp"
#include "core/units.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "store/arch_rows.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>

#include <cmath>

namespace omnifit::pipeline {
namespace {

void bind_optional(SQLite::Statement& statement, int index, const std::optional<double>& value) {
  if (value) {
    statement.bind(index, *value);
  } else {
    statement.bind(index);
  }
}

std::optional<double> optional_real(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return column.getDouble();
}

/// Of the costs that a row has columns for, those that the tables know.
void take_costs(const space::TabularData& tables, const space::Arch& arch, store::ArchRow& row) {
  const auto values = tables.find(arch);
  if (!values) return;
  const auto take = [&](const char* name, std::optional<std::int64_t>& cost) {
    for (std::size_t i = 0; i < tables.metrics().size(); ++i) {
      if (tables.metrics()[i].name == name && std::isfinite((*values)[i])) {
        cost = std::llround((*values)[i]);
      }
    }
  };
  take("macs", row.macs);
  take("params", row.params);
  take("peak_memory_bytes", row.peak_memory_bytes);
  take("model_bytes", row.model_bytes);
}

StageRunRow stage_run_row(SQLite::Statement& query) {
  return {query.getColumn(0).getInt64(),  query.getColumn(1).getString(),
          query.getColumn(2).getString(), query.getColumn(3).getString(),
          query.getColumn(4).getString(), query.getColumn(5).getDouble()};
}

}  // namespace

std::int64_t put_job(SQLite::Database& sql, const JobRow& row) {
  SQLite::Statement insert(sql,
                           "INSERT INTO job (hash, yaml, source, omnifit_version, git_revision, "
                           "libtorch_version, host, created_at) "
                           "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING");
  SQLite::bind(insert, row.hash, row.yaml, row.source, row.omnifit_version, row.git_revision,
               row.libtorch_version, row.host, core::utc_now());
  insert.exec();
  SQLite::Statement query(sql, "SELECT id FROM job WHERE hash = ?");
  query.bind(1, row.hash);
  query.executeStep();
  return query.getColumn(0).getInt64();
}

std::int64_t put_dataset(SQLite::Database& sql, const supernet::Dataset& dataset,
                         const std::string& format) {
  SQLite::Statement insert(
      sql,
      "INSERT INTO dataset (fingerprint, name, format, channels, image_px, num_classes, num_train, "
      "num_validation, num_test) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO "
      "NOTHING");
  SQLite::bind(insert, dataset.fingerprint, dataset.name, format, dataset.channels,
               dataset.image_px, dataset.num_classes, dataset.train.count(),
               dataset.validation.count(), dataset.test.count());
  insert.exec();
  SQLite::Statement query(sql, "SELECT id FROM dataset WHERE fingerprint = ?");
  query.bind(1, dataset.fingerprint);
  query.executeStep();
  return query.getColumn(0).getInt64();
}

std::int64_t put_arch(SQLite::Database& sql, std::int64_t space_id, const space::SearchSpace& space,
                      const space::Arch& arch, const space::TaskIo& io,
                      const space::TabularData* tables) {
  store::ArchRow row;
  row.space_id = space_id;
  row.in_channels = io.in_channels;
  row.num_classes = io.num_classes;
  row.text = space::to_text(space, arch);
  row.json = space::to_json(space, arch);
  if (space.family_kind() == space::Family::kTabular) {
    if (tables != nullptr) take_costs(*tables, arch, row);
    return store::put_arch(sql, row);
  }
  const space::NetworkPlan plan = space::lower(space, arch, io);
  row.resolution_px = plan.resolution_px;
  row.macs = space::macs(plan);
  row.params = space::params_count(plan);
  row.peak_memory_bytes = space::peak_activation_bytes(plan);
  row.model_bytes = space::model_bytes(plan);
  return store::put_arch(sql, row);
}

space::Arch get_arch(SQLite::Database& sql, const space::SearchSpace& space, std::int64_t arch_id) {
  SQLite::Statement query(sql, "SELECT text FROM arch WHERE id = ?");
  query.bind(1, arch_id);
  if (!query.executeStep())
    throw DataError(fmt::format("project file: there is no arch with id {}", arch_id));
  return space::parse_arch(space, query.getColumn(0).getString());
}

std::optional<StageRunRow> find_stage_run(SQLite::Database& sql, Stage stage,
                                          const std::string& input_hash) {
  SQLite::Statement query(
      sql,
      "SELECT id, state, input_hash, COALESCE(result_hash, ''), message, duration_s FROM stage_run "
      "WHERE stage = ? AND input_hash = ?");
  SQLite::bind(query, stage_name(stage), input_hash);
  if (!query.executeStep()) return std::nullopt;
  return stage_run_row(query);
}

bool has_other_stage_run(SQLite::Database& sql, Stage stage, const std::string& input_hash) {
  SQLite::Statement query(sql,
                          "SELECT 1 FROM stage_run WHERE stage = ? AND input_hash <> ? LIMIT 1");
  SQLite::bind(query, stage_name(stage), input_hash);
  return query.executeStep();
}

std::int64_t begin_stage_run(SQLite::Database& sql, std::int64_t job_id, Stage stage,
                             const std::string& input_hash) {
  SQLite::Statement insert(sql,
                           "INSERT INTO stage_run (job_id, stage, input_hash, state, started_at) "
                           "VALUES (?, ?, ?, 'running', ?) "
                           "ON CONFLICT (stage, input_hash) DO UPDATE SET state = 'running', "
                           "job_id = excluded.job_id, message = ''");
  SQLite::bind(insert, job_id, stage_name(stage), input_hash, core::utc_now());
  insert.exec();
  return find_stage_run(sql, stage, input_hash)->id;
}

void end_stage_run(SQLite::Database& sql, std::int64_t id, const std::string& state,
                   const std::string& result_hash, const std::string& message, double attempt_s) {
  SQLite::Statement update(
      sql,
      "UPDATE stage_run SET state = ?, result_hash = NULLIF(?, ''), message = ?, finished_at = ?, "
      "duration_s = duration_s + ? WHERE id = ?");
  SQLite::bind(update, state, result_hash, message, core::utc_now(), attempt_s, id);
  update.exec();
}

void delete_stage_run(SQLite::Database& sql, std::int64_t id) {
  SQLite::Statement remove(sql, "DELETE FROM stage_run WHERE id = ?");
  remove.bind(1, id);
  remove.exec();
}

void put_train_metrics(SQLite::Database& sql, std::int64_t stage_run_id,
                       const std::vector<supernet::TrainMetric>& metrics) {
  SQLite::Statement insert(
      sql,
      "INSERT INTO train_metric (stage_run_id, step, name, phase_index, phase, epoch, value) "
      "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value");
  for (const supernet::TrainMetric& metric : metrics) {
    SQLite::bind(insert, stage_run_id, metric.step, metric.name, metric.phase_index, metric.phase,
                 metric.epoch, metric.value);
    insert.exec();
    insert.reset();
  }
}

void put_checkpoint(SQLite::Database& sql, std::int64_t stage_run_id,
                    const supernet::CheckpointInfo& checkpoint, const std::string& relative_path) {
  SQLite::Statement insert(
      sql,
      "INSERT INTO checkpoint (stage_run_id, phase_index, phase, step, path, size_bytes, sha256, "
      "final) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (stage_run_id, phase_index) DO UPDATE SET "
      "step = excluded.step, path = excluded.path, size_bytes = excluded.size_bytes, "
      "sha256 = excluded.sha256, final = excluded.final");
  SQLite::bind(insert, stage_run_id, checkpoint.phase_index, checkpoint.phase, checkpoint.step,
               relative_path, static_cast<std::int64_t>(checkpoint.size_bytes), checkpoint.sha256,
               checkpoint.final ? 1 : 0);
  insert.exec();
}

std::optional<CheckpointRow> final_checkpoint(SQLite::Database& sql, std::int64_t stage_run_id) {
  SQLite::Statement query(
      sql, "SELECT path, sha256, size_bytes FROM checkpoint WHERE stage_run_id = ? AND final = 1");
  query.bind(1, stage_run_id);
  if (!query.executeStep()) return std::nullopt;
  return CheckpointRow{query.getColumn(0).getString(), query.getColumn(1).getString(),
                       static_cast<std::uint64_t>(query.getColumn(2).getInt64())};
}

std::optional<supernet::SubnetAccuracy> find_accuracy(SQLite::Database& sql, std::int64_t arch_id,
                                                      const AccuracyKey& key) {
  SQLite::Statement query(sql,
                          "SELECT top1, top5, loss, num_images FROM accuracy WHERE arch_id = ? AND "
                          "checkpoint_sha256 = ? AND "
                          "dataset_id = ? AND split = ? AND precision = 'float32' AND calibration "
                          "= ? AND num_images = ?");
  SQLite::bind(query, arch_id, key.checkpoint_sha256, key.dataset_id, key.split, key.calibration,
               key.num_images);
  if (!query.executeStep()) return std::nullopt;
  return supernet::SubnetAccuracy{query.getColumn(0).getDouble(), query.getColumn(1).getDouble(),
                                  query.getColumn(2).getDouble(), query.getColumn(3).getInt64()};
}

void put_accuracy(SQLite::Database& sql, std::int64_t arch_id, const AccuracyKey& key,
                  const supernet::SubnetAccuracy& accuracy) {
  SQLite::Statement insert(sql,
                           "INSERT INTO accuracy (arch_id, checkpoint_sha256, dataset_id, split, "
                           "precision, calibration, "
                           "num_images, top1, top5, loss) VALUES (?, ?, ?, ?, 'float32', ?, ?, ?, "
                           "?, ?) ON CONFLICT DO NOTHING");
  SQLite::bind(insert, arch_id, key.checkpoint_sha256, key.dataset_id, key.split, key.calibration,
               key.num_images, accuracy.top1, accuracy.top5, accuracy.loss);
  insert.exec();
}

void put_verification(SQLite::Database& sql, std::int64_t stage_run_id,
                      const VerificationRow& row) {
  SQLite::Statement insert(
      sql,
      "INSERT INTO verification (stage_run_id, budget, step, arch_id, role, predicted_top1, "
      "estimated_latency_ms, measured_top1, measured_latency_ms, bound) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
  insert.bind(1, stage_run_id);
  insert.bind(2, row.budget);
  insert.bind(3, row.step);
  insert.bind(4, row.arch_id);
  insert.bind(5, row.role);
  bind_optional(insert, 6, row.predicted_top1);
  bind_optional(insert, 7, row.estimated_latency_ms);
  bind_optional(insert, 8, row.measured_top1);
  bind_optional(insert, 9, row.measured_latency_ms);
  insert.bind(10, row.bound);
  insert.exec();
}

void put_refinement(SQLite::Database& sql, std::int64_t stage_run_id,
                    const std::vector<RefinementRow>& rows) {
  SQLite::Statement insert(
      sql,
      "INSERT INTO refinement_check (stage_run_id, round, arch_id, predicted_top1, measured_top1) "
      "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET predicted_top1 = excluded.predicted_top1, "
      "measured_top1 = excluded.measured_top1");
  for (const RefinementRow& row : rows) {
    SQLite::bind(insert, stage_run_id, row.round, row.arch_id, row.predicted_top1,
                 row.measured_top1);
    insert.exec();
    insert.reset();
  }
}

std::vector<VerificationRow> verifications(SQLite::Database& sql, std::int64_t stage_run_id) {
  SQLite::Statement query(
      sql,
      "SELECT budget, step, arch_id, role, predicted_top1, estimated_latency_ms, measured_top1, "
      "measured_latency_ms, bound FROM verification WHERE stage_run_id = ? ORDER BY budget, step");
  query.bind(1, stage_run_id);
  std::vector<VerificationRow> rows;
  while (query.executeStep()) {
    rows.push_back({query.getColumn(0).getString(), query.getColumn(1).getInt(),
                    query.getColumn(2).getInt64(), query.getColumn(3).getString(),
                    optional_real(query.getColumn(4)), optional_real(query.getColumn(5)),
                    optional_real(query.getColumn(6)), optional_real(query.getColumn(7)),
                    query.getColumn(8).getString()});
  }
  return rows;
}

}  // namespace omnifit::pipeline
