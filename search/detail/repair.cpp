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
    std::optional<Choices> best;
    double best_rate = 0.0;
    for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
      if (!genetics.is_active(repaired, g)) continue;
      for (std::size_t c = 0; c < genetics.num_choices(g); ++c) {
        if (c == repaired[g]) continue;
        Choices changed = repaired;
        genetics.impose(g, static_cast<std::uint8_t>(c), changed);
        const double brings = violation - screen.violation(changed);
        if (!(brings > 0.0)) continue;
        const double loses = effects[g][repaired[g]] - effects[g][c];
        // An unknown cost is infinitely far away: whatever makes it known comes first.
        const double rate = brings / std::max(loses, kLeastLoss);
        if (best && !(rate > best_rate)) continue;
        best = changed;
        best_rate = rate;
      }
    }
    if (!best) return std::nullopt;
    repaired = *best;
    violation = screen.violation(repaired);
  }
  return repaired;
}

}  // namespace omnifit::search::detail
