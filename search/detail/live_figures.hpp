#pragma once

#include "search/problem.hpp"
#include "search/trace.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::search::detail {

/// What a running search tells of itself: the best value, the feasible share of all archs so far,
/// and the hypervolume of their front, as a share of the box between the best and the worst
/// feasible values so far. For people alone: the front is looked at twice a second at most, so the
/// text depends on the clock.
class LiveFigures {
 public:
  /// "best top1 0.7312, 64 % feasible, hypervolume 0.82". @param leader index of the best feasible
  /// arch, if there is one @param column of the first objective
  std::string text(const SearchTrace& trace, const Scorer& scorer,
                   std::optional<std::size_t> leader, std::size_t column);

 private:
  using Point = std::vector<double>;
  using Clock = std::chrono::steady_clock;

  void look_at_front();

  std::size_t num_seen_ = 0;  ///< of the archive
  std::size_t num_feasible_ = 0;
  Point low_, high_;           ///< of the feasible trade-offs
  std::vector<Point> points_;  ///< the front when it was last looked at, and what came since
  std::optional<double> hypervolume_;
  Clock::time_point looked_ = Clock::now();
};

}  // namespace omnifit::search::detail
