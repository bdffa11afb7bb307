#pragma once

#include "search/detail/genetics.hpp"
#include "search/evaluator.hpp"
#include "search/problem.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace omnifit::search::detail {

/// The bounds of a problem that are sums over genes: checked before anything is evaluated.
class Screen {
 public:
  Screen(const space::SearchSpace& space, const Problem& problem, const Evaluator& evaluator);

  /// Whether there is any such bound.
  [[nodiscard]] bool empty() const { return limits_.empty(); }
  /// Sum of the relative excesses over the limits, as Scorer::score counts it; infinite where a
  /// cost is unknown. @pre the choices are canonical
  [[nodiscard]] double violation(const Choices& choices) const;
  [[nodiscard]] bool admits(const Choices& choices) const;
  /// How much of the tightest upper limit the choices use: 1 at the limit; 1 without upper limits.
  [[nodiscard]] double use(const Choices& choices) const;

  /// One sum that every arch within the upper limits keeps below 1: the limit itself where there is
  /// one, their mean where there are several. nullptr without upper limits.
  [[nodiscard]] const space::AdditiveCost* joint_cost() const {
    return joint_ ? &*joint_ : nullptr;
  }

 private:
  struct Limit {
    const space::AdditiveCost* cost = nullptr;
    std::optional<double> min;
    std::optional<double> max;
  };
  void join(const space::SearchSpace& space);

  std::size_t num_genes_;
  std::vector<Limit> limits_;
  std::optional<space::AdditiveCost> joint_;
};

}  // namespace omnifit::search::detail
