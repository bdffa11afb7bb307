#include "search/detail/live_figures.hpp"

#include "search/hypervolume.hpp"
#include "search/pareto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace omnifit::search::detail {
namespace {

constexpr std::chrono::milliseconds kLookEvery{500};

}  // namespace

std::string LiveFigures::text(const SearchTrace& trace, const Scorer& scorer,
                              std::optional<std::size_t> leader, std::size_t column) {
  for (; num_seen_ < trace.archive.size(); ++num_seen_) {
    const Evaluated& member = trace.archive[num_seen_];
    if (!member.score.feasible) continue;
    ++num_feasible_;
    if (scorer.num_trade_off() < 2) continue;
    points_.push_back(scorer.trade_off(member.values));
    if (low_.empty()) low_ = high_ = points_.back();
    for (std::size_t c = 0; c < low_.size(); ++c) {
      low_[c] = std::min(low_[c], points_.back()[c]);
      high_[c] = std::max(high_[c], points_.back()[c]);
    }
  }
  if (!leader) return "nothing within the bounds yet";
  if (Clock::now() - looked_ >= kLookEvery) look_at_front();
  return fmt::format("best {} {:.6g}, {:.0f} % feasible{}", trace.metrics[column].name,
                     trace.archive[*leader].values[column],
                     100.0 * static_cast<double>(num_feasible_) / static_cast<double>(num_seen_),
                     hypervolume_ ? fmt::format(", hypervolume {:.3f}", *hypervolume_) : "");
}

void LiveFigures::look_at_front() {
  looked_ = Clock::now();
  if (points_.empty()) return;
  const std::size_t dims = low_.size();
  MetricTable table(points_.size(), dims);
  for (std::size_t i = 0; i < points_.size(); ++i) {
    for (std::size_t c = 0; c < dims; ++c) {
      const double range = high_[c] - low_[c];
      table.row(i)[c] = range > 0.0 ? (points_[i][c] - low_[c]) / range : 0.0;
    }
  }
  hypervolume_ = search::hypervolume(table, std::vector<double>(dims, 1.0));
  std::vector<Point> front;
  for (const std::size_t i : non_dominated(table)) front.push_back(std::move(points_[i]));
  points_ = std::move(front);
}

}  // namespace omnifit::search::detail
