#pragma once

#include "search/evaluator.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace omnifit {

/// Two evaluators side by side, for strategies that know one only.
class BothEvaluator final : public search::Evaluator {
 public:
  BothEvaluator(search::Evaluator& first, search::Evaluator& second)
      : first_(first), second_(second), metrics_(first.metrics()) {
    metrics_.insert(metrics_.end(), second.metrics().begin(), second.metrics().end());
  }
  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override {
    const search::MetricTable first = first_.evaluate(archs);
    const search::MetricTable second = second_.evaluate(archs);
    search::MetricTable table(archs.size(), metrics_.size());
    for (std::size_t i = 0; i < archs.size(); ++i) {
      std::ranges::copy(second.row(i), std::ranges::copy(first.row(i), table.row(i).begin()).out);
    }
    return table;
  }

 private:
  search::Evaluator& first_;
  search::Evaluator& second_;
  std::vector<search::Metric> metrics_;
};

}  // namespace omnifit
