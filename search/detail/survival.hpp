#pragma once

#include "core/rng.hpp"
#include "search/evaluator.hpp"

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace omnifit::search::detail {

/// What survival looks at: the coordinates of feasible members, all to be minimised.
struct Candidates {
  MetricTable points;             ///< a row per feasible member
  std::vector<double> violation;  ///< of every infeasible member
};

/// Where a member of a population stands; tournaments compare rank, then spread.
struct Standing {
  std::size_t member = 0;  ///< feasible ones are numbered first, in the order of Candidates
  int rank = 0;            ///< front number; infeasible ones come after all fronts, by violation
  double spread = 0.0;     ///< NSGA-II: crowding distance; more is better
};

/// At most `keep` members by front and crowding distance, then infeasible ones by violation.
std::vector<Standing> survive_by_crowding(const Candidates& candidates, std::size_t keep);

/// Evenly spread directions of Das and Dennis (1998), each with a sum of 1: the finest grid that
/// has at most `limit` of them. Where such a grid has no inner point, a second, smaller one is set
/// inside it if both fit. At least the axes themselves. @pre dims ≥ 1
std::vector<std::vector<double>> reference_directions(std::size_t dims, std::size_t limit);

/// NSGA-III's survival; keeps the best value seen of every coordinate between generations.
class DirectionSurvival {
 public:
  DirectionSurvival(std::size_t dims, std::size_t population_size)
      : directions_(reference_directions(dims, population_size)),
        ideal_(dims, std::numeric_limits<double>::infinity()) {}

  std::vector<Standing> survive(const Candidates& candidates, std::size_t keep, core::Rng rng);

 private:
  struct Niche {
    std::size_t direction = 0;
    double distance = 0.0;
  };
  [[nodiscard]] std::vector<Niche> associate(const MetricTable& points,
                                             std::span<const int> ranks) const;

  std::vector<std::vector<double>> directions_;
  std::vector<double> ideal_;
};

}  // namespace omnifit::search::detail
