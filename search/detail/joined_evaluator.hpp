#pragma once

#include "search/evaluator.hpp"
#include "search/trace.hpp"

#include <span>
#include <unordered_map>
#include <vector>

namespace omnifit::search::detail {

/// Two evaluators side by side: the metrics of the costly one, then those of the exact one. Archs
/// of an earlier run's archive are not asked for again.
class JoinedEvaluator final : public Evaluator {
 public:
  /// @throws ConfigError if both have a metric of one name; std::invalid_argument if the archive's
  /// rows have another number of metrics. The evaluators must outlive this.
  JoinedEvaluator(Evaluator& measured, Evaluator* exact, std::span<const Evaluated> known);

  [[nodiscard]] const std::vector<Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] MetricTable evaluate(std::span<const space::Arch> archs) override;
  [[nodiscard]] std::size_t num_measured() const { return measured_.metrics().size(); }

 private:
  Evaluator& measured_;
  Evaluator* exact_;
  std::vector<Metric> metrics_;
  std::unordered_map<space::Arch, std::vector<double>, space::ArchHash> known_;
};

}  // namespace omnifit::search::detail
