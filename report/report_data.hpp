#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace omnifit::report {

/// What the report knows about one job, as plain values: no ids to follow, no SQL, no other
/// module's types. Everything may be missing; an empty optional or list means "not in the project
/// file", and the page then says so. Times are UTC text, accuracies fractions, latencies
/// milliseconds.

/// A block of a subnet, as drawn.
struct BlockInfo {
  int kernel_size = 0;
  double expand_ratio = 0.0;
};

/// A stage of a subnet: its active blocks, and how many the space allows.
struct StageShape {
  int width = 0;  ///< output channels, before the width multiplier
  int stride = 1;
  int max_depth = 0;
  std::vector<BlockInfo> blocks;
};

/// A subnet with its costs.
struct ArchInfo {
  std::string text;
  // Of an arch without layers only what its tables say is known.
  std::optional<int> resolution_px{};
  std::optional<std::int64_t> macs{};
  std::optional<std::int64_t> params_count{};
  std::optional<std::int64_t> peak_memory_bytes{};
  std::optional<std::int64_t> model_bytes{};
  std::vector<StageShape> stages;  ///< empty where the stored space cannot be read by this version
};

struct SpaceInfo {
  std::string name;
  int version = 0;
  std::string family;
  std::string fingerprint;
  double num_archs =
      0.0;  ///< distinct subnets; 0 where the stored space cannot be read by this version
};

struct DatasetInfo {
  std::string name;
  std::string format;
  int channels = 0;
  int image_px = 0;
  int num_classes = 0;
  std::int64_t num_train = 0;
  std::int64_t num_validation = 0;
  std::int64_t num_test = 0;
  std::string fingerprint;
};

/// Keys and values of a stored JSON object, flattened ("cpu", "libraries.openblas"), in file order.
using Facts = std::vector<std::pair<std::string, std::string>>;

struct JobInfo {
  std::string hash;
  std::string yaml;    ///< effective
  std::string source;  ///< the job file as given: its path, or its text
  std::string omnifit_version;
  std::string git_revision;
  std::string libtorch_version;
  std::string created_at;
  Facts host;
  std::string seed;  ///< as the effective job says it; empty if it does not
};

struct StageRun {
  std::string stage;
  std::string state;  ///< 'running', 'done', 'interrupted', 'failed' or 'goal_missed'
  std::string message;
  std::string started_at;
  std::string finished_at;
  double duration_s = 0.0;
};

struct MetricPoint {
  std::int64_t step = 0;
  double value = 0.0;
};

/// One named training metric over optimiser steps, ascending.
struct MetricSeries {
  std::string name;
  std::vector<MetricPoint> points;
};

/// One phase of training, as far as it was recorded.
struct PhaseInfo {
  int index = 0;
  std::string name;
  std::int64_t first_step = 1;  ///< follows the last one of the phase before
  std::int64_t last_step = 0;
  double epochs_done = 0.0;
};

struct CheckpointInfo {
  std::string phase;
  std::string path;
  std::int64_t size_bytes = 0;
  std::string sha256;
};

struct TrainingInfo {
  std::vector<PhaseInfo> phases;
  std::vector<MetricSeries> metrics;
  std::optional<CheckpointInfo> final_checkpoint;
};

/// A whole network on the device: what the latency model says and what the clock said.
struct LatencyCheck {
  std::string arch;
  double estimated_ms = 0.0;
  double measured_ms = 0.0;
  double deviation_ms = 0.0;  ///< of the estimate, from units that were not measured
};

struct LatencyInfo {
  std::string device_name;
  std::string runtime;
  int threads = 0;
  std::string precision;
  Facts description;
  std::int64_t num_layers_measured = 0;
  std::int64_t num_layers_estimated = 0;                            ///< from the measured ones
  std::optional<double> mean_rel_deviation;                         ///< of those, fraction
  std::vector<std::pair<std::string, std::string>> layer_failures;  ///< spec, reason
  double scale = 1.0;
  double offset_ms = 0.0;
  double unit_overhead_ms = 0.0;  ///< added per unit
  double weight_ms_per_mb = 0.0;  ///< added per 10^6 bytes of weights
  double deviation_scale = 1.0;   ///< of the deviations of a network's units, added up
  std::int64_t num_fit = 0;
  std::int64_t num_check = 0;
  std::optional<double> mape;
  std::optional<double> within_10_percent;
  std::optional<double> r2;
  std::optional<double> kendall_tau;
  std::vector<LatencyCheck> checks;
  std::vector<std::pair<std::string, std::string>> check_failures;  ///< arch, reason
};

/// Validation accuracy of one collected subnet.
struct AccuracyPoint {
  std::string arch;
  std::int64_t macs = 0;
  double top1 = 0.0;
  std::int64_t num_images = 0;
};

struct PredictorCheck {
  std::string arch;
  double predicted_top1 = 0.0;
  double measured_top1 = 0.0;
};

struct PredictorInfo {
  std::string kind;
  bool imported = false;  ///< trained elsewhere: no figure below is known
  std::int64_t num_train = 0;
  std::int64_t num_held_out = 0;
  double kendall_tau = 0.0;
  double spearman = 0.0;
  double rmse = 0.0;
  double mae = 0.0;
  std::vector<PredictorCheck> checks;
};

/// What the hopeful subnets of a round had been predicted to reach, and what they reached.
struct RefinementRound {
  int round = 0;  ///< 1 = the first one
  std::vector<PredictorCheck> checks;
};

/// Where a search's accuracies come from: a predictor, the validation images, a tabular space's
/// tables, which hold its latencies too.
enum class Top1Source { kPredicted, kMeasured, kTable };

struct GenerationPoint {
  std::int64_t num_evaluations = 0;
  std::optional<double> best_top1{};
  double feasible_share = 0.0;
  std::optional<double> hypervolume{};  ///< of the front so far, as SearchRun::hypervolume
};

struct SearchCandidate {
  ArchInfo arch;
  double top1 = 0.0;
  std::optional<double> latency_ms{};  ///< estimated, or from the tables
};

/// One strategy under one budget.
struct SearchRun {
  std::string budget;
  std::string strategy;   ///< search::strategy_name
  bool baseline = false;  ///< run beside another one, for comparison
  Top1Source top1_source = Top1Source::kPredicted;
  std::map<std::string, double> bounds;  ///< metric → absolute upper bound
  std::uint64_t seed = 0;
  std::int64_t num_evaluations = 0;
  std::optional<double> best_top1;
  /// Of the final front, as a share of the box that all searches of the budget found.
  std::optional<double> hypervolume;
  std::string stop_reason;
  std::vector<GenerationPoint> generations;
  std::vector<SearchCandidate> results;  ///< best first, then down the front
};

/// A candidate that was measured as a whole network.
struct VerifiedNetwork {
  std::string budget;
  int step = 0;
  std::string role;  ///< 'winner', 'over_budget', 'largest', 'smallest'
  ArchInfo arch;
  std::optional<double> predicted_top1;
  std::optional<double> estimated_latency_ms;
  std::optional<double> measured_top1;
  std::optional<double> measured_latency_ms;
  std::string bound;
};

struct ExportedFile {
  std::string budget;
  std::string format;  ///< 'onnx', 'torchscript', 'safetensors', 'json'
  std::string path;    ///< relative to the project file
  std::int64_t size_bytes = 0;
  std::string sha256;
  std::string proof;  ///< 'proven', 'not_proven', 'not_applicable'
  std::optional<double> max_rel_difference;
  std::string note;
};

struct ReportData {
  std::string title;
  std::string page_path = "report.html";  ///< of the page, relative to the project file
  std::optional<JobInfo> job;
  std::optional<SpaceInfo> space;
  std::optional<DatasetInfo> dataset;
  std::vector<StageRun> stages;  ///< in the order of a run; only those of this job
  std::optional<TrainingInfo> training;
  std::vector<LatencyInfo> latencies;  ///< per device of the job, the main one first
  std::vector<AccuracyPoint> accuracies;
  std::optional<PredictorInfo> predictor;          ///< of the fit stage
  std::optional<PredictorInfo> refined_predictor;  ///< fitted again by the search
  std::vector<RefinementRound> refinement;         ///< what that was about
  std::vector<SearchRun> searches;
  std::vector<VerifiedNetwork> verified;
  std::vector<ExportedFile> exports;
};

}  // namespace omnifit::report
