#include "pipeline/table_metrics.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace omnifit::pipeline {

std::string table_metric(const Quantity& quantity, const std::string& top1,
                         const std::string& device) {
  if (!quantity.column.empty()) return quantity.column;
  if (quantity.is_top1()) return top1;
  if (quantity.cost != Cost::kLatency) return cost_metric(*quantity.cost);
  return (quantity.device.empty() ? device : quantity.device) + "_ms";
}

bool TableMetrics::has(const Quantity& quantity) const {
  return std::ranges::find(data_.metrics(), metric(quantity), &space::TabularMetric::name) !=
         data_.metrics().end();
}

search::TabularEvaluator TableMetrics::evaluator(std::span<const Quantity> quantities) const {
  std::vector<search::TabularColumn> columns;
  for (const Quantity& quantity : quantities) {
    columns.push_back({metric(quantity), quantity.metric()});
  }
  return {data_, columns};
}

space::AdditiveCost::Extreme TableMetrics::extreme(const Quantity& quantity, bool highest) const {
  const std::size_t column = data_.column(metric(quantity));
  std::optional<space::AdditiveCost::Extreme> found;
  for (const space::Arch& arch : data_.archs()) {
    const double value = (*data_.find(arch))[column];
    if (std::isnan(value)) continue;
    if (!found || (highest ? value > found->cost : value < found->cost)) found = {value, arch};
  }
  if (!found) {
    throw DataError(fmt::format("the tables have no value of the metric '{}'", metric(quantity)));
  }
  return *found;
}

}  // namespace omnifit::pipeline
