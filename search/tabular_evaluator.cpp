#include "search/tabular_evaluator.hpp"

#include <limits>

namespace omnifit::search {

TabularEvaluator::TabularEvaluator(const space::TabularData& data,
                                   std::span<const TabularColumn> columns)
    : data_(data) {
  for (const TabularColumn& column : columns) {
    columns_.push_back(data.column(column.metric));
    metrics_.push_back({.name = column.name.empty() ? column.metric : column.name,
                        .maximise = data.metrics()[columns_.back()].maximise});
  }
}

MetricTable TabularEvaluator::evaluate(std::span<const space::Arch> archs) {
  MetricTable table(archs.size(), columns_.size());
  for (std::size_t i = 0; i < archs.size(); ++i) {
    const auto row = data_.find(archs[i]);
    for (std::size_t c = 0; c < columns_.size(); ++c)
      table.row(i)[c] = row ? (*row)[columns_[c]] : std::numeric_limits<double>::quiet_NaN();
  }
  return table;
}

}  // namespace omnifit::search
