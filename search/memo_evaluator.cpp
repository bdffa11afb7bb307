#include "search/memo_evaluator.hpp"

#include "core/error.hpp"
#include "search/detail/archive.hpp"

#include <algorithm>
#include <unordered_set>

namespace omnifit::search {

MetricTable MemoEvaluator::evaluate(std::span<const space::Arch> archs) {
  const std::lock_guard lock(mutex_);
  std::vector<space::Arch> unknown;
  std::vector<std::size_t> positions;
  positions.reserve(archs.size());
  for (const space::Arch& arch : archs) {
    const auto [entry, is_new] = position_.try_emplace(arch, archs_.size() + unknown.size());
    if (is_new) unknown.push_back(arch);
    positions.push_back(entry->second);
  }
  const std::size_t columns = metrics().size();
  try {
    const MetricTable fresh = evaluator_.evaluate(unknown);
    OMNIFIT_CHECK(fresh.rows() == unknown.size(), "the evaluator gave {} rows for {} archs",
                  fresh.rows(), unknown.size());
    for (std::size_t i = 0; i < fresh.rows(); ++i) {
      values_.insert(values_.end(), fresh.row(i).begin(), fresh.row(i).end());
    }
  } catch (...) {
    // What was not scored must not look as if it were.
    for (const space::Arch& arch : unknown) position_.erase(arch);
    throw;
  }
  archs_.insert(archs_.end(), unknown.begin(), unknown.end());
  MetricTable table(archs.size(), columns);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    std::ranges::copy(values(positions[i]), table.row(i).begin());
  }
  return table;
}

void adopt(SearchTrace& trace, const Problem& problem, const MemoEvaluator& memory) {
  const Scorer scorer(problem, memory.metrics());
  std::unordered_set<space::Arch, space::ArchHash> own;
  for (const Evaluated& member : trace.archive) own.insert(member.arch);
  for (std::size_t i = 0; i < memory.archs().size(); ++i) {
    if (own.contains(memory.archs()[i])) continue;
    const auto row = memory.values(i);
    trace.archive.push_back({.arch = memory.archs()[i],
                             .values = {row.begin(), row.end()},
                             .score = scorer.score(row)});
  }
  detail::find_front(trace, scorer);
}

}  // namespace omnifit::search
