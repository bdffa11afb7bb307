#pragma once

#include "pipeline/stage.hpp"
#include "space/arch.hpp"
#include "space/tabular.hpp"
#include "supernet/evaluation.hpp"
#include "supernet/trainer.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace SQLite {
class Database;
}

namespace omnifit::pipeline {

/// Queries of the tables that belong to the pipeline: job, dataset, stage_run, train_metric,
/// checkpoint, accuracy, verification. `put_*` store a row or find the equal one that is there, and
/// return its id.

struct JobRow {
  std::string hash;
  std::string yaml;
  std::string source;
  std::string omnifit_version;
  std::string git_revision;
  std::string libtorch_version;
  std::string host;
};
std::int64_t put_job(SQLite::Database& sql, const JobRow& row);

std::int64_t put_dataset(SQLite::Database& sql, const supernet::Dataset& dataset,
                         const std::string& format);

/// The row of an arch with its costs for the task; of an arch of a tabular space, which has no
/// layers, with what `tables` say of them.
std::int64_t put_arch(SQLite::Database& sql, std::int64_t space_id, const space::SearchSpace& space,
                      const space::Arch& arch, const space::TaskIo& io,
                      const space::TabularData* tables = nullptr);
/// The arch of a row. @throws DataError if there is no such row
space::Arch get_arch(SQLite::Database& sql, const space::SearchSpace& space, std::int64_t arch_id);

struct StageRunRow {
  std::int64_t id = 0;
  std::string state;
  std::string input_hash;
  std::string result_hash;
  std::string message;
  double duration_s = 0.0;
};
std::optional<StageRunRow> find_stage_run(SQLite::Database& sql, Stage stage,
                                          const std::string& input_hash);
/// Whether this stage was ever run with other inputs.
bool has_other_stage_run(SQLite::Database& sql, Stage stage, const std::string& input_hash);
std::int64_t begin_stage_run(SQLite::Database& sql, std::int64_t job_id, Stage stage,
                             const std::string& input_hash);
void end_stage_run(SQLite::Database& sql, std::int64_t id, const std::string& state,
                   const std::string& result_hash, const std::string& message, double attempt_s);
void delete_stage_run(SQLite::Database& sql, std::int64_t id);

void put_train_metrics(SQLite::Database& sql, std::int64_t stage_run_id,
                       const std::vector<supernet::TrainMetric>& metrics);
void put_checkpoint(SQLite::Database& sql, std::int64_t stage_run_id,
                    const supernet::CheckpointInfo& checkpoint, const std::string& relative_path);
struct CheckpointRow {
  std::string path;
  std::string sha256;
  std::uint64_t size_bytes = 0;
};
std::optional<CheckpointRow> final_checkpoint(SQLite::Database& sql, std::int64_t stage_run_id);

/// What identifies an accuracy beside the arch.
struct AccuracyKey {
  std::string checkpoint_sha256;
  std::int64_t dataset_id = 0;
  std::string split;
  std::string calibration;  ///< JSON
  std::int64_t num_images = 0;
};
std::optional<supernet::SubnetAccuracy> find_accuracy(SQLite::Database& sql, std::int64_t arch_id,
                                                      const AccuracyKey& key);
void put_accuracy(SQLite::Database& sql, std::int64_t arch_id, const AccuracyKey& key,
                  const supernet::SubnetAccuracy& accuracy);

/// A candidate of a budget that was measured. `role`: winner, over_budget, largest, smallest.
struct VerificationRow {
  std::string budget;
  int step = 0;
  std::int64_t arch_id = 0;
  std::string role;
  std::optional<double> predicted_top1;
  std::optional<double> estimated_latency_ms;
  std::optional<double> measured_top1;
  std::optional<double> measured_latency_ms;
  std::string bound;
};
void put_verification(SQLite::Database& sql, std::int64_t stage_run_id, const VerificationRow& row);
/// A subnet that the search measured to refine its predictor.
struct RefinementRow {
  int round = 0;  ///< 1 = the first one
  std::int64_t arch_id = 0;
  double predicted_top1 = 0.0;  ///< before it was measured
  double measured_top1 = 0.0;
};
/// The rows replace those of an earlier attempt. Inside Database::write.
void put_refinement(SQLite::Database& sql, std::int64_t stage_run_id,
                    const std::vector<RefinementRow>& rows);

/// In the order of budget, then step.
std::vector<VerificationRow> verifications(SQLite::Database& sql, std::int64_t stage_run_id);

}  // namespace omnifit::pipeline
