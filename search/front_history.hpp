#pragma once

#include "search/problem.hpp"
#include "search/trace.hpp"

#include <span>
#include <string>
#include <vector>

namespace omnifit::search {

/// How a search's front grew, in figures that can be compared within the search.
struct FrontHistory {
  /// One coordinate of the trade-off (Scorer::trade_off): the best and the worst feasible value
  /// that was found, in the metric's own sign.
  struct Axis {
    std::string metric;
    double best = 0.0;
    double worst = 0.0;
  };
  std::vector<Axis> axes;
  /// Per generation of the trace: hypervolume of the feasible front so far as a share of the box
  /// between the best and the worst values, in [0, 1]. A coordinate without range does not count.
  /// In the box of another search it may be more than 1.
  std::vector<double> hypervolume;
  /// Of all that is in the archive, what it adopted from other searches (adopt()) included.
  double final_hypervolume = 0.0;
};

/// `compared`: searches of the same problem and metrics, whose feasible values the box covers too;
/// then the hypervolumes of all of them can be compared. Nothing but zeros and no axes where
/// nothing is feasible. Thread-safe.
/// @throws ConfigError from Scorer.
FrontHistory front_history(const SearchTrace& trace, const Problem& problem,
                           std::span<const SearchTrace* const> compared = {});

/// The same in the box of an earlier search of the same problem: what is worse than its worst value
/// adds nothing. NaN where the box has no range in a coordinate in which this trace has better
/// values. @throws ConfigError from Scorer. @pre `box` is of that problem; empty gives zeros
FrontHistory front_history_in(const std::vector<FrontHistory::Axis>& box, const SearchTrace& trace,
                              const Problem& problem);

}  // namespace omnifit::search
