#include "search/trace.hpp"

#include "core/error.hpp"
#include "core/fields.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace omnifit::search {

const std::string& stop_reason_text(StopReason reason) {
  static const core::EnumTable<StopReason> kTable = {
      {StopReason::kGenerationsDone, "generations done"},
      {StopReason::kEvaluationBudgetUsed, "evaluation budget used"},
      {StopReason::kSpaceExhausted, "space exhausted"},
      {StopReason::kNoFeasibleFound, "no feasible subnet found"},
      {StopReason::kBoundsExhausted, "no further subnet within the bounds"},
  };
  return core::enum_name(kTable, reason);
}

std::int64_t SearchTrace::num_feasible() const {
  return std::count_if(archive.begin(), archive.end(),
                       [](const Evaluated& e) { return e.score.feasible; });
}

std::optional<std::size_t> SearchTrace::column(const std::string& metric) const {
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    if (metrics[i].name == metric) return i;
  }
  return std::nullopt;
}

std::vector<std::size_t> results(const SearchTrace& trace, int max_results) {
  if (max_results < 1)
    throw std::invalid_argument(fmt::format("max_results must be at least 1, got {}", max_results));
  const auto wanted = static_cast<std::size_t>(max_results);
  if (trace.front.size() <= wanted) return trace.front;
  // Positions grow with the square of the rank: a measured budget is mostly missed by a little.
  std::vector<std::size_t> kept;
  std::size_t next = 0;
  for (std::size_t rank = 0; rank < wanted; ++rank) {
    const double share =
        wanted == 1 ? 0.0 : static_cast<double>(rank) / static_cast<double>(wanted - 1);
    const auto position = static_cast<std::size_t>(
        std::lround(share * share * static_cast<double>(trace.front.size() - 1)));
    next = std::max(next, position);
    kept.push_back(trace.front[next]);
    ++next;
  }
  return kept;
}

std::string explain_infeasible(const SearchTrace& trace, const Problem& problem) {
  std::vector<std::string> unmet;
  std::vector<std::string> texts;
  std::int64_t num_evaluated = 0;
  for (const Evaluated& e : trace.archive)
    num_evaluated += std::isfinite(e.score.violation) ? 1 : 0;
  if (num_evaluated == 0)
    return fmt::format("none of {} subnets could be evaluated", trace.archive.size());
  for (const Bound& bound : problem.bounds) {
    texts.push_back(to_text(bound));
    const auto column = trace.column(bound.metric);
    OMNIFIT_CHECK(column.has_value(), "the trace lacks the bounded metric {}", bound.metric);
    std::optional<double> lowest;
    std::optional<double> highest;
    bool met = false;
    for (const Evaluated& e : trace.archive) {
      if (!std::isfinite(e.score.violation)) continue;
      const double value = e.values[*column];
      lowest = std::min(lowest.value_or(value), value);
      highest = std::max(highest.value_or(value), value);
      met = met || (value >= bound.min.value_or(value) && value <= bound.max.value_or(value));
    }
    if (!met)
      unmet.push_back(fmt::format("{} (found {:.6g} to {:.6g})", texts.back(), *lowest, *highest));
  }
  if (!unmet.empty())
    return fmt::format("none of {} subnets meets {}", num_evaluated, fmt::join(unmet, ", nor "));
  return fmt::format("none of {} subnets meets all of {} at once, though each alone can be met",
                     num_evaluated, fmt::join(texts, ", "));
}

}  // namespace omnifit::search
