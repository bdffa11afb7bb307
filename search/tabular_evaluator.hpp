#pragma once

#include "search/evaluator.hpp"
#include "space/tabular.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace omnifit::search {

/// A metric of a table and the name that searches use for it: "cifar10_top1" as "top1".
struct TabularColumn {
  std::string metric;
  std::string name;  ///< empty: the metric's own
};

/// Looks metrics up in the tables of a tabular space. What the tables lack is NaN: could not be
/// evaluated. Thread-safe.
class TabularEvaluator final : public Evaluator {
 public:
  /// @throws ConfigError if the tables have no such metric (with the nearest known one).
  TabularEvaluator(const space::TabularData& data, std::span<const TabularColumn> columns);

  [[nodiscard]] const std::vector<Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] MetricTable evaluate(std::span<const space::Arch> archs) override;

 private:
  const space::TabularData& data_;
  std::vector<Metric> metrics_;
  std::vector<std::size_t> columns_;
};

}  // namespace omnifit::search
