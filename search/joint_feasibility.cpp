#include "search/joint_feasibility.hpp"

#include "core/interrupt.hpp"
#include "search/detail/joint_bound.hpp"
#include "search/detail/matrix_game.hpp"
#include "space/sampling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>
#include <utility>

namespace omnifit::search {
namespace {

using detail::JointBound;

/// Relative; far above what sums of a few dozen tables round to.
constexpr double kProven = 1e-9;
/// Least sums computed for one decision.
constexpr int kMaxMinima = 600;

double violation(const std::vector<double>& gaps) {
  double sum = 0.0;
  for (const double gap : gaps) {
    // An unknown cost is infinitely far off.
    sum += std::isnan(gap) ? std::numeric_limits<double>::infinity() : std::max(0.0, gap);
  }
  return sum;
}

/// Looks for an arch that keeps all limits and for a proof that there is none.
class Decision {
 public:
  explicit Decision(const JointBound& bound) : bound_(bound) {}

  JointFeasibility run() {
    const std::vector<double> equal(bound_.num_limits(),
                                    1.0 / static_cast<double>(bound_.num_limits()));
    JointFeasibility result;
    result.state = decide({}, equal);
    result.witness = witness_;
    if (result.state == Feasibility::kInfeasible) {
      // Archs of unknown cost were left out of every proof.
      for (std::size_t i = 0; i < bound_.num_limits(); ++i) {
        if (used_.contains(i) || bound_.has_unknown(i)) result.conflict.push_back(i);
      }
    }
    return result;
  }

 private:
  /// What the cuts of one part of the space came to.
  struct Cuts {
    std::vector<space::Arch> archs;
    std::vector<std::vector<double>> gaps;
    std::vector<double> weights;  ///< the next to try
    std::vector<double> mix;      ///< of the archs
  };

  /// The part of the space where these genes have these choices.
  Feasibility decide(const JointBound::Fixed& fixed, const std::vector<double>& weights) {
    core::check_interrupt();
    Cuts cuts;
    cuts.weights = weights;
    const Feasibility by_cuts = cut(fixed, cuts);
    if (by_cuts != Feasibility::kUnknown || num_minima_ >= kMaxMinima) return by_cuts;
    if (descend(cuts)) return Feasibility::kFeasible;
    return split(fixed, cuts);
  }

  Feasibility cut(const JointBound::Fixed& fixed, Cuts& cuts) {
    while (num_minima_ < kMaxMinima) {
      ++num_minima_;
      const std::optional<space::Arch> arch = bound_.least(cuts.weights, fixed);
      if (!arch) return Feasibility::kInfeasible;
      if (bound_.keeps(*arch)) return found(*arch);
      const std::vector<double> gaps = bound_.gaps(*arch);
      double least = 0.0;
      double size = 1.0;
      for (std::size_t i = 0; i < gaps.size(); ++i) {
        least += cuts.weights[i] * gaps[i];
        size += cuts.weights[i] * std::abs(gaps[i]);
      }
      if (least > kProven * size) {
        for (std::size_t i = 0; i < gaps.size(); ++i) {
          if (cuts.weights[i] > 0.0) used_.insert(i);
        }
        return Feasibility::kInfeasible;
      }
      const bool known = std::ranges::find(cuts.archs, *arch) != cuts.archs.end();
      if (!known) {
        cuts.archs.push_back(*arch);
        cuts.gaps.push_back(gaps);
      }
      detail::GameSolution game = detail::solve_game(cuts.gaps);
      cuts.weights = std::move(game.weights);
      cuts.mix = std::move(game.mix);
      // No weights can do better than the game; without a new cut these were the best ones.
      if (known || game.value <= kProven) break;
    }
    return Feasibility::kUnknown;
  }

  /// From the arch that is off least, one gene after another as long as that helps.
  bool descend(const Cuts& cuts) {
    if (cuts.archs.empty()) return false;
    space::Arch arch = cuts.archs.front();
    double least = violation(bound_.gaps(arch));
    for (std::size_t i = 1; i < cuts.archs.size(); ++i) {
      const double off = violation(cuts.gaps[i]);
      if (off < least) {
        least = off;
        arch = cuts.archs[i];
      }
    }
    for (bool moved = true; moved;) {
      moved = false;
      for (const space::Arch& neighbour : space::neighbours(bound_.space(), arch)) {
        const double off = violation(bound_.gaps(neighbour));
        if (!(off < least)) continue;
        if (bound_.keeps(neighbour)) return found(neighbour) == Feasibility::kFeasible;
        least = off;
        arch = neighbour;
        moved = true;
      }
    }
    return false;
  }

  /// One part for every choice of the gene over which the mixed archs disagree first.
  Feasibility split(const JointBound::Fixed& fixed, const Cuts& cuts) {
    const std::optional<int> gene = gene_to_split(fixed, cuts);
    if (!gene) {
      // A single arch is left, and it keeps not all of them.
      const std::vector<double>& gaps = cuts.gaps.front();
      for (std::size_t i = 0; i < gaps.size(); ++i) {
        if (gaps[i] > 0.0) used_.insert(i);
      }
      return Feasibility::kInfeasible;
    }
    const auto choices = bound_.space().genes()[static_cast<std::size_t>(*gene)].choices.size();
    Feasibility state = Feasibility::kInfeasible;
    for (std::size_t choice = 0; choice < choices; ++choice) {
      JointBound::Fixed part = fixed;
      part[*gene] = static_cast<std::uint8_t>(choice);
      const Feasibility of_part = decide(part, cuts.weights);
      if (of_part == Feasibility::kFeasible) return of_part;
      if (of_part == Feasibility::kUnknown) state = of_part;
    }
    return state;
  }

  [[nodiscard]] std::optional<int> gene_to_split(const JointBound::Fixed& fixed,
                                                 const Cuts& cuts) const {
    std::optional<int> any;
    const auto num_genes = static_cast<int>(bound_.space().genes().size());
    for (int gene = 0; gene < num_genes; ++gene) {
      if (fixed.contains(gene)) continue;
      if (bound_.space().genes()[static_cast<std::size_t>(gene)].choices.size() < 2) continue;
      if (!any) any = gene;
      std::set<int> choices;
      for (std::size_t i = 0; i < cuts.archs.size(); ++i) {
        if (cuts.mix[i] > 0.0) choices.insert(cuts.archs[i].choice(gene));
      }
      if (choices.size() > 1) return gene;
    }
    return any;
  }

  Feasibility found(const space::Arch& arch) {
    witness_ = arch;
    return Feasibility::kFeasible;
  }

  const JointBound& bound_;
  int num_minima_ = 0;
  std::optional<space::Arch> witness_;
  std::set<std::size_t> used_;  ///< limits with a weight in some proof
};

std::vector<AdditiveLimit> picked(std::span<const AdditiveLimit> limits,
                                  const std::vector<std::size_t>& indices) {
  std::vector<AdditiveLimit> result;
  result.reserve(indices.size());
  for (const std::size_t i : indices) result.push_back(limits[i]);
  return result;
}

std::vector<std::size_t> without(std::vector<std::size_t> indices, std::size_t index) {
  std::erase(indices, index);
  return indices;
}

/// Leaves out every limit without which the rest still cannot be kept.
std::vector<std::size_t> reduced(const space::SearchSpace& space,
                                 std::span<const AdditiveLimit> limits,
                                 std::vector<std::size_t> conflict) {
  for (std::size_t i = 0; i < conflict.size() && conflict.size() > 1;) {
    const std::vector<std::size_t> fewer = without(conflict, conflict[i]);
    const JointFeasibility of_fewer = decide_feasibility(space, picked(limits, fewer));
    if (of_fewer.state == Feasibility::kInfeasible) {
      conflict = fewer;
    } else {
      ++i;
    }
  }
  return conflict;
}

/// Moves one limit towards what the others allow, halving what is unknown of it each time.
std::optional<NearestLimit> nearest(const space::SearchSpace& space,
                                    std::span<const AdditiveLimit> limits,
                                    const std::vector<std::size_t>& conflict, std::size_t moved) {
  constexpr double kNear = 0.01;
  constexpr int kMaxSteps = 12;
  const std::vector<std::size_t> others = without(conflict, moved);
  std::vector<AdditiveLimit> loosened = picked(limits, conflict);
  AdditiveLimit& limit =
      loosened[static_cast<std::size_t>(std::ranges::find(conflict, moved) - conflict.begin())];
  std::optional<space::Arch> arch;
  if (others.empty()) {
    arch = limit.at_least ? limit.cost->maximum(space).arch : limit.cost->minimum(space).arch;
    return NearestLimit{moved, (*limit.cost)(*arch), *arch};
  }
  arch = decide_feasibility(space, picked(limits, others)).witness;
  if (!arch) return std::nullopt;
  double reached = (*limit.cost)(*arch);
  double excluded = limit.value;
  for (int step = 0; step < kMaxSteps; ++step) {
    if (std::abs(reached - excluded) <= kNear * std::abs(reached)) break;
    limit.value = 0.5 * (reached + excluded);
    const JointFeasibility with = decide_feasibility(space, loosened);
    if (with.state == Feasibility::kUnknown) break;
    if (with.witness) {
      arch = with.witness;
      reached = (*limit.cost)(*arch);
    } else {
      excluded = limit.value;
    }
  }
  return NearestLimit{moved, reached, *arch};
}

}  // namespace

JointFeasibility decide_feasibility(const space::SearchSpace& space,
                                    std::span<const AdditiveLimit> limits) {
  if (limits.empty()) throw std::invalid_argument("feasibility: no limits");
  for (const AdditiveLimit& limit : limits) {
    if (!std::isfinite(limit.value) || !std::isfinite(limit.cost->constant())) {
      throw std::invalid_argument(
          fmt::format("feasibility: limits must be finite numbers of costs that some arch has, got "
                      "{}",
                      limit.value));
    }
  }
  const JointBound bound(space, limits);
  return Decision(bound).run();
}

std::optional<LimitConflict> find_conflict(const space::SearchSpace& space,
                                           std::span<const AdditiveLimit> limits) {
  const JointFeasibility all = decide_feasibility(space, limits);
  if (all.state != Feasibility::kInfeasible) return std::nullopt;
  LimitConflict conflict;
  conflict.limits = reduced(space, limits, all.conflict);
  for (const std::size_t limit : conflict.limits) {
    if (const auto found = nearest(space, limits, conflict.limits, limit)) {
      conflict.nearest.push_back(*found);
    }
  }
  return conflict;
}

}  // namespace omnifit::search
