#pragma once

#include "pipeline/run_context.hpp"
#include "search/evaluator.hpp"

#include <vector>

namespace omnifit::pipeline {

/// Top-1 as it is measured on the validation images of the job, every subnet once in the life of a
/// project; behind it the metrics of another evaluator, if there is one. Not thread-safe.
class MeasuredEvaluator final : public search::Evaluator {
 public:
  /// @pre the training has finished. Both must outlive this.
  explicit MeasuredEvaluator(RunContext& context, search::Evaluator* others = nullptr);

  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override;

 private:
  RunContext& context_;
  search::Evaluator* others_;
  std::vector<search::Metric> metrics_;
};

}  // namespace omnifit::pipeline
