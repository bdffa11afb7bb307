#include "search/detail/annealer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace omnifit::search::detail {
namespace {

constexpr int kSteps = 700;
/// Temperatures of the first and the last step, in the unit of the effects.
constexpr float kHot = 0.08F;
constexpr float kCold = 0.008F;
/// Genes that a step changes at most, beside those that they switch.
constexpr std::uint64_t kMostGenes = 3;

}  // namespace

std::optional<Choices> Annealer::walk(const Choices& start, core::Rng& rng) const {
  static const float cooling = std::pow(kCold / kHot, 1.0F / static_cast<float>(kSteps));
  PairField field(effects_, effects_.features(start));
  Choices at = start;
  float height = 0.0F;  // above the start
  std::optional<Choices> best;
  float best_height = -std::numeric_limits<float>::infinity();
  float temperature = kHot;
  for (int i = 0; i < kSteps; ++i, temperature *= cooling) {
    const Step next = step(at, rng);
    const Features lost = features(next, at);
    const Features won = features(next, next.after);
    const float gain = field.gain(lost, won);
    // The chance falls linearly with the loss: as good as exponentially, and the same everywhere.
    const float most_lost = 2.0F * temperature * static_cast<float>(rng.uniform());
    if (!(gain >= -most_lost) || !screen_.admits(next.after)) continue;
    field.move(lost, won);
    at = next.after;
    height += gain;
    if (!(height > best_height) || archive_.find(at)) continue;
    best_height = height;
    best = at;
  }
  return best;
}

Annealer::Step Annealer::step(const Choices& from, core::Rng& rng) const {
  Step step(from);
  for (std::uint64_t missing = 1 + rng.below(kMostGenes); missing > 0; --missing) {
    std::size_t gene = rng.below(genetics_.num_genes());
    while (!genetics_.is_active(step.after, gene)) gene = rng.below(genetics_.num_genes());
    change(from, gene, step, rng);
  }
  return step;
}

void Annealer::change(const Choices& from, std::size_t gene, Step& step, core::Rng& rng) const {
  const auto known = [&](std::size_t g) {
    const std::span changed(step.genes.data(), step.num_genes);
    return std::ranges::find(changed, static_cast<std::uint8_t>(g)) != changed.end();
  };
  const auto add = [&](std::size_t g) {
    step.genes[step.num_genes++] = static_cast<std::uint8_t>(g);
  };
  if (known(gene)) return;
  step.after[gene] = genetics_.draw_other(gene, from[gene], rng);
  // What the gene switches, and what is switched by that.
  std::size_t next = step.num_genes;
  for (add(gene); next < step.num_genes; ++next) {
    for (const std::uint8_t other : genetics_.switched_by(step.genes[next])) {
      const bool is_active = genetics_.is_active(step.after, other);
      if (is_active == genetics_.is_active(from, other)) continue;
      step.after[other] =
          is_active ? static_cast<std::uint8_t>(rng.below(genetics_.num_choices(other))) : 0;
      if (!known(other)) add(other);
    }
  }
}

Features Annealer::features(const Step& step, const Choices& of) const {
  Features found;
  for (std::size_t i = 0; i < step.num_genes; ++i) {
    const std::size_t gene = step.genes[i];
    if (genetics_.is_active(of, gene)) found.add(effects_.feature(gene, of[gene]));
  }
  return found;
}

}  // namespace omnifit::search::detail
