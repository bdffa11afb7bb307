#include "search/detail/repair.hpp"

#include <algorithm>
#include <cmath>

namespace omnifit::search::detail {
namespace {

/// What a change costs at least, so that changes that lose nothing compete by what they bring.
constexpr double kLeastLoss = 1e-9;

}  // namespace

std::optional<Choices> repair(const Genetics& genetics, const Screen& screen,
                              const Choices& choices, const GeneEffects& effects) {
  Choices repaired = choices;
  double violation = screen.violation(repaired);
  while (violation > 0.0) {
    const Flip* best = nullptr;
    double best_rate = 0.0;
    const std::vector<Flip> flips = genetics.flips(repaired);
    for (const Flip& flip : flips) {
      const double brings = violation - screen.violation(flip.choices);
      if (!(brings > 0.0)) continue;
      const double loses =
          effects[flip.gene][repaired[flip.gene]] - effects[flip.gene][flip.choice];
      // An unknown cost is infinitely far away: whatever makes it known comes first.
      const double rate = brings / std::max(loses, kLeastLoss);
      if (best == nullptr || rate > best_rate) {
        best = &flip;
        best_rate = rate;
      }
    }
    if (best == nullptr) return std::nullopt;
    repaired = best->choices;
    violation = screen.violation(repaired);
  }
  return repaired;
}

}  // namespace omnifit::search::detail
