#pragma once

#include "pipeline/budget.hpp"
#include "search/tabular_evaluator.hpp"
#include "space/additive_cost.hpp"
#include "space/tabular.hpp"

#include <span>
#include <string>
#include <vector>

namespace omnifit::pipeline {

/// Name of the tables' metric behind a quantity: top-1 is the metric `top1`, a latency that names
/// no device is `device`'s.
std::string table_metric(const Quantity& quantity, const std::string& top1,
                         const std::string& device);

/// The figures of a tabular space by the names a job uses: top-1 is the metric that the job names,
/// the latency on a device "phone" is "phone_ms", another cost the metric of its own name.
class TableMetrics {
 public:
  /// `device`: meant by a latency that names none. `data` must outlive this.
  TableMetrics(const space::TabularData& data, std::string top1, std::string device)
      : data_(data), top1_(std::move(top1)), device_(std::move(device)) {}

  /// Whether the tables have it.
  [[nodiscard]] bool has(const Quantity& quantity) const;
  /// Looks `quantities` up under their Quantity::metric(); top-1 is maximised.
  /// @throws ConfigError if the tables lack one, with their metrics.
  [[nodiscard]] search::TabularEvaluator evaluator(std::span<const Quantity> quantities) const;
  /// The highest or lowest value in the tables, with its arch. @throws as evaluator()
  [[nodiscard]] space::AdditiveCost::Extreme extreme(const Quantity& quantity, bool highest) const;

 private:
  [[nodiscard]] std::string metric(const Quantity& quantity) const {
    return table_metric(quantity, top1_, device_);
  }

  const space::TabularData& data_;
  std::string top1_;
  std::string device_;
};

}  // namespace omnifit::pipeline
