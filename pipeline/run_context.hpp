#pragma once

#include "core/progress.hpp"
#include "pipeline/job.hpp"
#include "pipeline/services.hpp"
#include "pipeline/stage.hpp"
#include "space/tabular.hpp"
#include "store/database.hpp"
#include "supernet/data/dataset.hpp"
#include "supernet/evaluation.hpp"
#include "supernet/supernet.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace omnifit::pipeline {

/// The results a stage consumes and the ids of its own rows.
struct StageResult {
  std::int64_t run_id = 0;  ///< stage_run.id
  std::string result_hash;  ///< stage_run.result_hash
};

/// What every stage of one run shares. Loads the data set and opens the device only when a stage
/// needs them.
class RunContext {
 public:
  RunContext(Job job, store::Database& db, const Services& services, core::ProgressSink& progress);
  ~RunContext();

  [[nodiscard]] const Job& job() const { return job_; }
  [[nodiscard]] const JobConfig& config() const { return job_.config; }
  [[nodiscard]] const space::SearchSpace& space() const { return job_.space; }
  [[nodiscard]] store::Database& db() { return db_; }
  [[nodiscard]] core::ProgressSink& progress() { return progress_; }
  [[nodiscard]] std::uint64_t seed() const { return job_.config.seed; }
  /// LibTorch threads of a training; part of its identity.
  [[nodiscard]] int threads() const { return job_.threads; }
  /// Threads of everything else; results do not depend on them. The job's, unless set.
  [[nodiscard]] int outer_threads() const { return outer_threads_.value_or(job_.threads); }
  void set_outer_threads(int threads) { outer_threads_ = threads; }

  const supernet::Dataset& dataset();
  /// The job's task, else that of its images; zeros in a tabular space, whose archs have none.
  space::TaskIo io();
  /// The figures of a tabular space; null where the space has layers. @throws as TabularData::load
  const space::TabularData* tables();
  /// Where their files are. @throws ConfigError if it is no folder. @pre the space is tabular
  [[nodiscard]] const std::filesystem::path& tables_folder() const;
  /// The timer of one of the job's devices.
  latency::LayerTimer& timer(const DeviceConfig& device);
  /// The trained supernet of `results[Stage::kTrain]`, and what evaluates its subnets.
  const supernet::Supernet& network();
  const supernet::SubnetEvaluator& subnet_evaluator();
  /// The predictor that the job's own one corrects; null without `fit.prior`.
  std::shared_ptr<const predictors::Prior> prior();
  /// Calibration and batches of every accuracy of this job.
  [[nodiscard]] supernet::EvalOptions eval_options(int max_images) const;

  /// Ids of the rows everything else refers to; created on first use.
  std::int64_t job_id();
  std::int64_t space_id();
  std::int64_t dataset_id();
  std::int64_t arch_id(const space::Arch& arch);
  /// Stores an arch with its costs, inside a write transaction of the project. Make it outside.
  using ArchWriter = std::function<std::int64_t(SQLite::Database&, const space::Arch&)>;
  ArchWriter arch_writer();

  /// Results of finished stages of this run.
  std::map<Stage, StageResult> results;

  /// Absolute path of something named relative to the project file, and back.
  [[nodiscard]] std::filesystem::path in_project(const std::string& relative) const;
  [[nodiscard]] std::string relative_to_project(const std::filesystem::path& path) const;

 private:
  Job job_;
  store::Database& db_;
  const Services& services_;
  core::ProgressSink& progress_;
  std::unique_ptr<supernet::Dataset> dataset_;
  std::unique_ptr<space::TabularData> tables_;
  std::map<std::string, std::unique_ptr<latency::LayerTimer>> timers_;  ///< by device
  std::unique_ptr<supernet::Supernet> network_;
  std::unique_ptr<supernet::SubnetEvaluator> subnet_evaluator_;
  std::shared_ptr<const predictors::Prior> prior_;
  std::optional<int> outer_threads_;
  std::optional<std::int64_t> job_id_;
  std::optional<std::int64_t> space_id_;
  std::optional<std::int64_t> dataset_id_;
};

}  // namespace omnifit::pipeline
