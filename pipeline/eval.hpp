#pragma once

#include "pipeline/run_context.hpp"

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

/// What is known about one of them afterwards.
struct EvalRow {
  std::string arch;
  double top1 = 0.0;
  double top5 = 0.0;
  double loss = 0.0;
  std::int64_t num_images = 0;
  std::optional<double> predicted_top1;        ///< if a predictor is fitted
  std::optional<double> estimated_latency_ms;  ///< if the device is profiled
  std::optional<double> measured_latency_ms;
  std::int64_t macs = 0;
  std::int64_t params = 0;
  std::int64_t peak_memory_bytes = 0;
  std::int64_t model_bytes = 0;
};

/// Measures and stores. @throws StateError if the job's training has not finished; ConfigError for
/// a malformed arch.
std::vector<EvalRow> evaluate_archs(RunContext& context, const EvalRequest& request);
std::string eval_table(const std::vector<EvalRow>& rows);
std::string eval_json(const std::vector<EvalRow>& rows);

}  // namespace omnifit::pipeline
