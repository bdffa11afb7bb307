#include "search/detail/joined_evaluator.hpp"

#include "core/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace omnifit::search::detail {

JoinedEvaluator::JoinedEvaluator(Evaluator& measured, Evaluator* exact,
                                 std::span<const Evaluated> known)
    : measured_(measured), exact_(exact), metrics_(measured.metrics()) {
  if (exact_ != nullptr) {
    for (const Metric& metric : exact_->metrics()) {
      if (std::ranges::find(metrics_, metric.name, &Metric::name) != metrics_.end()) {
        throw ConfigError(
            fmt::format("search: metric '{}' is both measured and exact", metric.name));
      }
      metrics_.push_back(metric);
    }
  }
  for (const Evaluated& row : known) {
    if (row.values.size() != metrics_.size()) {
      throw std::invalid_argument(
          fmt::format("the archive has rows of {} metrics, the evaluators give {}",
                      row.values.size(), metrics_.size()));
    }
    known_.emplace(row.arch, row.values);
  }
}

MetricTable JoinedEvaluator::evaluate(std::span<const space::Arch> archs) {
  std::vector<space::Arch> unknown;
  for (const space::Arch& arch : archs) {
    if (!known_.contains(arch)) unknown.push_back(arch);
  }
  const auto ask = [&](Evaluator& evaluator) {
    if (unknown.empty()) return MetricTable(0, evaluator.metrics().size());
    MetricTable table = evaluator.evaluate(unknown);
    OMNIFIT_CHECK(table.rows() == unknown.size(), "the evaluator gave {} rows for {} archs",
                  table.rows(), unknown.size());
    return table;
  };
  const MetricTable measured = ask(measured_);
  const MetricTable exact = exact_ != nullptr ? ask(*exact_) : MetricTable(0, 0);
  MetricTable joined(archs.size(), metrics_.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    const auto row = joined.row(i);
    if (const auto known = known_.find(archs[i]); known != known_.end()) {
      std::ranges::copy(known->second, row.begin());
      continue;
    }
    const auto rest = std::ranges::copy(measured.row(next), row.begin()).out;
    if (exact_ != nullptr) std::ranges::copy(exact.row(next), rest);
    ++next;
  }
  return joined;
}

}  // namespace omnifit::search::detail
