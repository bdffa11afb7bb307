#pragma once

#include "latency_lut/profile_config.hpp"
#include "pipeline/device_config.hpp"
#include "pipeline/search_config.hpp"
#include "pipeline/stage.hpp"
#include "predictors/accuracy_predictor.hpp"
#include "search/strategy.hpp"
#include "space/search_space.hpp"
#include "supernet/data/dataset.hpp"
#include "supernet/train_config.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::pipeline {

/// The `collect` section: which accuracies the predictor learns from.
struct CollectConfig {
  int samples = 120;   ///< distinct subnets, the smallest and the largest among them
  int max_images = 0;  ///< of the validation split; 0 = all
  void fields(core::Fields& f);
  friend bool operator==(const CollectConfig&, const CollectConfig&) = default;
};

/// The `verify` section.
struct VerifyConfig {
  int max_candidates = 12;  ///< measured at most per budget before the stage gives up
  int max_images = 0;       ///< of the test split; 0 = all
  void fields(core::Fields& f);
  friend bool operator==(const VerifyConfig&, const VerifyConfig&) = default;
};

/// The `export` section.
struct ExportConfig {
  std::string folder = "export";  ///< relative to the project file
  int proof_images = 8;           ///< real images each export is proven on
  bool embed_normalisation =
      true;                    ///< the files take pixels in [0, 1] and normalise them themselves
  bool require_proof = false;  ///< a file that cannot be proven (no Node.js) fails the stage
  void fields(core::Fields& f);
  friend bool operator==(const ExportConfig&, const ExportConfig&) = default;
};

/// The `report` section.
struct ReportConfig {
  std::string file = "report.html";  ///< relative to the project file
  std::string title;                 ///< empty: made from the job
  void fields(core::Fields& f);
  friend bool operator==(const ReportConfig&, const ReportConfig&) = default;
};

/// The `task` section: what the networks are for, where no stage of the job reads images.
struct TaskConfig {
  int in_channels = 3;
  int num_classes = 1000;
  void fields(core::Fields& f);
  friend bool operator==(const TaskConfig&, const TaskConfig&) = default;
};

/// The `tables` section of a job in a tabular space: where its figures are, and which of them is
/// the accuracy. Other names follow from the job's own: the latency on a device "phone" is the
/// metric "phone_ms", MACs and parameters are "macs" and "params".
struct TablesConfig {
  std::string root;           ///< folder of the space's CSV files, relative to the job file
  std::string top1 = "top1";  ///< metric that is the job's top-1
  void fields(core::Fields& f);
  friend bool operator==(const TablesConfig&, const TablesConfig&) = default;
};

/// A job file: every section has defaults, nothing else is accepted.
struct JobConfig {
  std::string project = "omnifit.db";               ///< project file; relative to the job file
  std::vector<std::string> stages = stage_names();  ///< those that belong to the job
  std::optional<TaskConfig> task;                   ///< absent: the data set's
  std::optional<TablesConfig> tables;               ///< of a tabular space, and of no other
  std::string space = "mbv3_32px";  ///< a shipped space's name, or a file relative to the job file
  std::uint64_t seed = 1;
  int threads = 0;               ///< cores to use; 0 = all available
  std::string compute = "auto";  ///< auto | cpu | cuda: where training and evaluation run
  supernet::DataConfig data;
  supernet::TrainConfig train;
  DeviceConfig device;                ///< the only one, or the first of `devices`
  std::vector<DeviceConfig> devices;  ///< all of them if the job has several; else empty
  latency::ProfileConfig profile;
  CollectConfig collect;
  predictors::FitConfig fit;
  SearchConfig search;
  VerifyConfig verify;
  ExportConfig export_files;
  ReportConfig report;
  void fields(core::Fields& f);

  /// Whether the search asks an accuracy predictor; else it measures or looks up.
  [[nodiscard]] bool predicts() const { return !tables && !search.is_active(); }
  /// Whether the search measures subnets and fits its predictor again.
  [[nodiscard]] bool refines() const { return predicts() && search.refinements > 0; }
  /// Every device, the main one first: it is the one that is meant where none is named.
  [[nodiscard]] std::vector<DeviceConfig> all_devices() const;
};

/// What the command line adds to the file.
struct JobOverrides {
  std::vector<std::string> assignments;          ///< --set a.b=c, in order
  std::optional<std::filesystem::path> project;  ///< --project, relative to the working directory
  std::optional<int> threads;
  std::optional<std::string> compute;  ///< --device
  bool exhaustive = false;             ///< --exhaustive
};

/// A loaded, checked job with everything resolved.
struct Job {
  std::filesystem::path file;
  std::string source;  ///< the file's text
  JobConfig config;    ///< as given; paths not resolved, so that `effective_yaml` can be moved with
                       ///< its files
  std::string effective_yaml;  ///< defaults < file < --set; reading it back gives the same job
  std::filesystem::path project_file;  ///< absolute
  supernet::DataConfig data;           ///< `root` absolute
  std::filesystem::path start_from;    ///< absolute; empty: training begins with random weights
  std::filesystem::path predictor;     ///< `fit.predictor`, absolute; empty: one is fitted
  std::filesystem::path prior;         ///< `fit.prior`, absolute; empty: none
  std::filesystem::path tables_root;   ///< `tables.root`, absolute; empty: the space is not tabular
  space::SearchSpace space;
  std::vector<Stage> stages;  ///< in the order they run
  int threads = 1;
  std::string compute;  ///< "cpu" or "cuda"
  /// The search stage also looks at every subnet, beside its result: neither the job nor what
  /// counts as finished changes with it.
  bool exhaustive = false;

  [[nodiscard]] bool has(Stage stage) const;
  /// Stages of this job whose results `stage` consumes.
  [[nodiscard]] std::vector<Stage> consumed(Stage stage) const;

  /// The task: channels are known only from the data set.
  [[nodiscard]] space::TaskIo task_io(const supernet::Dataset& dataset) const {
    return {dataset.channels, dataset.num_classes};
  }
};

/// @throws ConfigError listing every error of the file as file:line:col.
Job load_job(const std::filesystem::path& file, const JobOverrides& overrides);

/// What can be known before a project is opened: the folders that the job reads from are there.
/// @throws ConfigError, DataError naming the one that is not
void check_sources(const Job& job);

/// A commented job file with every key, its meaning, range and default.
std::string commented_job();

/// Folder of the shipped spaces: next to the sources or installed beside the binary.
std::filesystem::path shipped_spaces_folder();
/// A space by shipped name or by file (relative to `base`). @throws ConfigError listing the shipped
/// names.
space::SearchSpace find_space(const std::string& name_or_file, const std::filesystem::path& base);

}  // namespace omnifit::pipeline
