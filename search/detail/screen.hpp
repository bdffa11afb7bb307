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
  /// Whether no bound is of another kind: what the screen admits is feasible.
  [[nodiscard]] bool complete() const { return complete_; }
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

  /// The gene on whose choice most other genes' share of the joint cost depends, as all blocks'
  /// latencies depend on the resolution. nullopt where no gene meets two others, and without upper
  /// limits.
  [[nodiscard]] std::optional<std::size_t> leading_gene() const { return leading_gene_; }

 private:
  struct Limit {
    const space::AdditiveCost* cost = nullptr;
    std::optional<double> min;
    std::optional<double> max;
  };
  void join(const space::SearchSpace& space);
  void find_leading_gene(const std::vector<space::AdditiveCost::Term>& terms);

  std::size_t num_genes_;
  std::vector<Limit> limits_;
  bool complete_ = true;
  std::optional<space::AdditiveCost> joint_;
  std::optional<std::size_t> leading_gene_;
};

}  // namespace omnifit::search::detail
