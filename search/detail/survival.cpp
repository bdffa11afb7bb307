#include "search/detail/survival.hpp"

#include "search/pareto.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

namespace omnifit::search::detail {
namespace {

/// Members of each front; rows with a NaN are no candidates and do not occur.
std::vector<std::vector<std::size_t>> fronts_of(std::span<const int> ranks) {
  std::vector<std::vector<std::size_t>> fronts;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const auto rank = static_cast<std::size_t>(ranks[i]);
    if (rank >= fronts.size()) fronts.resize(rank + 1);
    fronts[rank].push_back(i);
  }
  return fronts;
}

/// Fills the rest with infeasible members, the least violation first.
void append_infeasible(const Candidates& candidates, std::size_t keep, int num_fronts,
                       std::vector<Standing>& standings) {
  std::vector<std::size_t> order(candidates.violation.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::less<>(),
                           [&](std::size_t i) { return candidates.violation[i]; });
  int rank = num_fronts;
  for (std::size_t i = 0; i < order.size() && standings.size() < keep; ++i) {
    if (i > 0 && candidates.violation[order[i]] > candidates.violation[order[i - 1]]) ++rank;
    standings.push_back({candidates.points.rows() + order[i], rank, 0.0});
  }
}

/// All points of the grid of `divisions` steps whose coordinates sum to 1, scaled towards the
/// middle.
void append_grid(std::size_t dims, int divisions, double scale,
                 std::vector<std::vector<double>>& directions) {
  std::vector<int> steps(dims, 0);
  const std::function<void(std::size_t, int)> place = [&](std::size_t axis, int left) {
    if (axis + 1 == dims) {
      steps[axis] = left;
      std::vector<double> direction(dims);
      for (std::size_t c = 0; c < dims; ++c) {
        direction[c] = scale * steps[c] / divisions + (1.0 - scale) / static_cast<double>(dims);
      }
      directions.push_back(std::move(direction));
      return;
    }
    for (int step = 0; step <= left; ++step) {
      steps[axis] = step;
      place(axis + 1, left - step);
    }
  };
  place(0, divisions);
}

/// Points of a grid: (divisions + dims - 1) choose (dims - 1); stops counting above `limit`.
std::size_t grid_size(std::size_t dims, int divisions, std::size_t limit) {
  double count = 1.0;
  for (std::size_t i = 1; i < dims; ++i) {
    count = count * static_cast<double>(static_cast<std::size_t>(divisions) + i) /
            static_cast<double>(i);
    if (count > 2.0 * static_cast<double>(limit) + 2.0) return limit + 1;
  }
  return static_cast<std::size_t>(std::llround(count));
}

/// Takes members of the front that does not fit whole, each for the direction that has the fewest.
class Niching {
 public:
  Niching(std::size_t num_directions, core::Rng& rng) : taken_(num_directions, 0), rng_(rng) {}

  void count(std::size_t direction) { ++taken_[direction]; }

  /// A member's direction and its distance from it.
  struct Member {
    std::size_t member = 0;
    std::size_t direction = 0;
    double distance = 0.0;
  };
  std::vector<std::size_t> take(const std::vector<Member>& members, std::size_t number) {
    std::vector<std::vector<Member>> waiting(taken_.size());
    for (const Member& member : members) waiting[member.direction].push_back(member);
    std::vector<std::size_t> result;
    while (result.size() < number) {
      const std::size_t direction = least_crowded(waiting);
      auto& candidates = waiting[direction];
      // A direction that nobody holds gets its nearest member, any other one whom chance picks.
      const auto chosen =
          taken_[direction] == 0
              ? std::ranges::min_element(candidates, std::less<>(), &Member::distance)
              : candidates.begin() + static_cast<std::ptrdiff_t>(rng_.below(candidates.size()));
      result.push_back(chosen->member);
      candidates.erase(chosen);
      ++taken_[direction];
    }
    return result;
  }

 private:
  std::size_t least_crowded(const std::vector<std::vector<Member>>& waiting) {
    std::vector<std::size_t> best;
    for (std::size_t d = 0; d < waiting.size(); ++d) {
      if (waiting[d].empty() || (!best.empty() && taken_[d] > taken_[best.front()])) continue;
      if (!best.empty() && taken_[d] < taken_[best.front()]) best.clear();
      best.push_back(d);
    }
    return best[rng_.below(best.size())];
  }

  std::vector<int> taken_;
  core::Rng& rng_;
};

}  // namespace

std::vector<Standing> survive_by_crowding(const Candidates& candidates, std::size_t keep) {
  const std::vector<int> ranks = non_dominated_ranks(candidates.points);
  const auto fronts = fronts_of(ranks);
  std::vector<Standing> standings;
  for (std::size_t rank = 0; rank < fronts.size() && standings.size() < keep; ++rank) {
    const std::vector<double> spread = crowding_distances(candidates.points, fronts[rank]);
    std::vector<Standing> front;
    for (std::size_t i = 0; i < fronts[rank].size(); ++i) {
      front.push_back({fronts[rank][i], static_cast<int>(rank), spread[i]});
    }
    std::ranges::stable_sort(front, std::greater<>(), &Standing::spread);
    front.resize(std::min(front.size(), keep - standings.size()));
    standings.insert(standings.end(), front.begin(), front.end());
  }
  append_infeasible(candidates, keep, static_cast<int>(fronts.size()), standings);
  return standings;
}

std::vector<std::vector<double>> reference_directions(std::size_t dims, std::size_t limit) {
  std::vector<std::vector<double>> directions;
  if (dims == 1) return {{1.0}};
  int divisions = 1;
  while (grid_size(dims, divisions + 1, limit) <= limit) ++divisions;
  append_grid(dims, divisions, 1.0, directions);
  // With fewer steps than coordinates every point of the grid has a zero somewhere.
  if (divisions < static_cast<int>(dims)) {
    const int inner = std::max(1, divisions - 1);
    if (directions.size() + grid_size(dims, inner, limit) <= limit) {
      append_grid(dims, inner, 0.5, directions);
    }
  }
  return directions;
}

std::vector<DirectionSurvival::Niche> DirectionSurvival::associate(
    const MetricTable& points, std::span<const int> ranks) const {
  const std::size_t dims = ideal_.size();
  std::vector<double> worst(dims, -std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < points.rows(); ++i) {
    if (ranks[i] != 0) continue;
    for (std::size_t c = 0; c < dims; ++c) worst[c] = std::max(worst[c], points.row(i)[c]);
  }
  std::vector<Niche> niches(points.rows());
  std::vector<double> normal(dims);
  for (std::size_t i = 0; i < points.rows(); ++i) {
    double squared = 0.0;
    for (std::size_t c = 0; c < dims; ++c) {
      const double range = worst[c] - ideal_[c];
      normal[c] = range > 0.0 ? (points.row(i)[c] - ideal_[c]) / range : 0.0;
      squared += normal[c] * normal[c];
    }
    niches[i].distance = std::numeric_limits<double>::infinity();
    for (std::size_t d = 0; d < directions_.size(); ++d) {
      const std::vector<double>& direction = directions_[d];
      const double along = std::inner_product(normal.begin(), normal.end(), direction.begin(), 0.0);
      const double length =
          std::inner_product(direction.begin(), direction.end(), direction.begin(), 0.0);
      const double distance = std::max(0.0, squared - along * along / length);
      if (distance < niches[i].distance) niches[i] = {d, distance};
    }
  }
  return niches;
}

std::vector<Standing> DirectionSurvival::survive(const Candidates& candidates, std::size_t keep,
                                                 core::Rng rng) {
  for (std::size_t i = 0; i < candidates.points.rows(); ++i) {
    for (std::size_t c = 0; c < ideal_.size(); ++c) {
      ideal_[c] = std::min(ideal_[c], candidates.points.row(i)[c]);
    }
  }
  const std::vector<int> ranks = non_dominated_ranks(candidates.points);
  const auto fronts = fronts_of(ranks);
  const std::vector<Niche> niches = associate(candidates.points, ranks);
  Niching niching(directions_.size(), rng);
  std::vector<Standing> standings;
  for (std::size_t rank = 0; rank < fronts.size() && standings.size() < keep; ++rank) {
    const std::size_t room = keep - standings.size();
    std::vector<std::size_t> chosen = fronts[rank];
    if (chosen.size() > room) {
      std::vector<Niching::Member> members;
      for (const std::size_t i : fronts[rank]) {
        members.push_back({i, niches[i].direction, niches[i].distance});
      }
      chosen = niching.take(members, room);
    }
    for (const std::size_t i : chosen) {
      standings.push_back({i, static_cast<int>(rank), 0.0});
      niching.count(niches[i].direction);
    }
  }
  append_infeasible(candidates, keep, static_cast<int>(fronts.size()), standings);
  return standings;
}

}  // namespace omnifit::search::detail
