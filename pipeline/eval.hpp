#pragma once

#include "pipeline/run_context.hpp"
#include "supernet/network_evaluation.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::pipeline {

/// Subnets to measure by hand.
struct EvalRequest {
  std::vector<std::string> archs;    ///< one-line form, JSON form, "largest" or "smallest"
  std::string split = "validation";  ///< "train", "validation" or "test"
  bool latency = true;               ///< also time the whole network on the job's device
};

/// What a network costs, as its plan says.
struct PlanCosts {
  std::int64_t macs = 0;
  std::int64_t params = 0;
  std::int64_t peak_memory_bytes = 0;
  std::int64_t model_bytes = 0;
};

/// What is known about one of them afterwards.
struct EvalRow {
  std::string arch;
  double top1 = 0.0;
  double top5 = 0.0;
  double loss = 0.0;
  std::int64_t num_images = 0;
  std::optional<double> predicted_top1;                  ///< if a predictor is fitted
  std::optional<double> estimated_latency_ms;            ///< if the device is profiled
  std::optional<double> estimated_latency_deviation_ms;  ///< where units of it were not measured
  std::optional<double> measured_latency_ms;
  PlanCosts costs;
};

/// Measures and stores. @throws StateError if the job's training has not finished; ConfigError for
/// a malformed arch.
std::vector<EvalRow> evaluate_archs(RunContext& context, const EvalRequest& request);
std::string eval_table(const std::vector<EvalRow>& rows);
std::string eval_json(const std::vector<EvalRow>& rows);

/// Subnets of a supernet that no job has trained or taken over, on the images of a job.
struct CheckpointEvalRequest {
  std::filesystem::path file;        ///< a checkpoint or a PyTorch file (see load_start_weights())
  std::vector<std::string> archs;    ///< as in EvalRequest
  std::string split = "validation";  ///< "train", "validation" or "test"
};

/// Accuracies and costs; stores nothing and needs no project file. The space and the calibration
/// are the job's. @throws DataError for a file that is no supernet of the space or does not fit the
/// images; ConfigError for a malformed arch and as loading the data set does.
std::vector<EvalRow> evaluate_checkpoint(const Job& job, const CheckpointEvalRequest& request);

/// A standalone network to measure on the images of a job.
struct NetworkEvalRequest {
  std::filesystem::path file;  ///< a network file, e.g. of `omnifit import network`
  std::string split = "test";  ///< "train", "validation" or "test"
};

struct NetworkEvalRow {
  std::string network;  ///< the file's name
  std::string data;     ///< the data set's
  std::string split;
  int resolution_px = 0;
  supernet::NetworkAccuracy accuracy;
  PlanCosts costs;
};

/// Measures and stores nothing: needs no project file. Where the job computes. Of the data set only
/// the test split is read if that is the one asked for and the job gives the normalisation. Image
/// folders are cut at the network's resolution instead of data.image_px, other images resized from
/// there.
/// @throws DataError for a file that is no network or does not fit the images; ConfigError as
/// loading the data set does.
NetworkEvalRow evaluate_network_file(const Job& job, const NetworkEvalRequest& request);
std::string network_eval_table(const NetworkEvalRow& row);
std::string network_eval_json(const NetworkEvalRow& row);

}  // namespace omnifit::pipeline
