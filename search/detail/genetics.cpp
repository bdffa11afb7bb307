#include "search/detail/genetics.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace omnifit::search::detail {
namespace {

/// Chances to the 65,536th part, four of them from one random number.
class Coins {
 public:
  Coins(double prob, core::Rng& rng)
      : threshold_(static_cast<std::uint64_t>(std::llround(prob * kSides))), rng_(rng) {}
  bool toss() {
    if (left_ == 0) {
      bits_ = rng_.next();
      left_ = 4;
    }
    --left_;
    const std::uint64_t side = bits_ % kSides;
    bits_ /= kSides;
    return side < threshold_;
  }

 private:
  static constexpr std::uint64_t kSides = 65'536;
  std::uint64_t threshold_;
  core::Rng& rng_;
  std::uint64_t bits_ = 0;
  int left_ = 0;
};

}  // namespace

Genetics::Genetics(const space::SearchSpace& space)
    : space_(space), switched_(space.genes().size()) {
  for (const space::Gene& gene : space.genes()) {
    const auto number = static_cast<std::uint8_t>(genes_.size());
    genes_.push_back(
        {.owner = static_cast<std::uint8_t>(
             gene.active_if ? static_cast<std::size_t>(gene.active_if->gene) : genes_.size()),
         .min_choice = static_cast<std::uint8_t>(gene.active_if ? gene.active_if->min_choice : 0),
         .num_choices = static_cast<std::uint8_t>(gene.choices.size())});
    if (!gene.active_if) continue;
    const auto owner = static_cast<std::size_t>(gene.active_if->gene);
    genes_[owner].is_owner = true;
    switched_[owner].push_back(number);
  }
}

Choices Genetics::choices(const space::Arch& arch) const {
  OMNIFIT_CHECK(arch.space_fingerprint() == space_.fingerprint(),
                "an arch of another space than {}", space_.name());
  Choices choices{};
  std::ranges::copy(arch.choices(), choices.begin());
  return choices;
}

space::Arch Genetics::arch(const Choices& choices) const {
  return {space_, std::span<const std::uint8_t>(choices).first(genes_.size())};
}

void Genetics::canonicalise(Choices& choices) const {
  for (std::size_t g = 0; g < genes_.size(); ++g) {
    // Arithmetic, because whether a gene is active is hard to foresee.
    choices[g] = static_cast<std::uint8_t>(choices[g] * (is_active(choices, g) ? 1 : 0));
  }
}

Choices Genetics::mutate(const Choices& parent, double prob, core::Rng& rng) const {
  Choices child{};
  bool moved = false;
  Coins coins(prob, rng);
  std::size_t num_active = 0;
  for (std::size_t g = 0; g < genes_.size(); ++g) {
    num_active += is_active(parent, g) ? 1U : 0U;
    if (!is_active(child, g)) continue;
    if (!is_active(parent, g)) {
      child[g] = static_cast<std::uint8_t>(rng.below(genes_[g].num_choices));
    } else if (coins.toss()) {
      child[g] = draw_other(g, parent[g], rng);
      moved = true;
    } else {
      child[g] = parent[g];
    }
  }
  if (moved) return child;
  std::size_t forced = rng.below(num_active);
  child = parent;
  for (std::size_t g = 0; g < genes_.size(); ++g) {
    if (!is_active(parent, g)) {
      // Switched on by the gene that was forced to move.
      if (is_active(child, g))
        child[g] = static_cast<std::uint8_t>(rng.below(genes_[g].num_choices));
    } else if (forced-- == 0) {
      child[g] = draw_other(g, parent[g], rng);
    }
  }
  canonicalise(child);
  return child;
}

Choices Genetics::cross(const Choices& a, const Choices& b, core::Rng& rng) const {
  Choices child{};
  std::uint64_t coins = rng.next();
  for (std::size_t g = 0; g < genes_.size(); ++g, coins >>= 1U) {
    // Arithmetic, because nobody can foresee a coin.
    const unsigned active = is_active(child, g) ? 1U : 0U;
    const unsigned in_a = is_active(a, g) ? 1U : 0U;
    const unsigned in_b = is_active(b, g) ? 1U : 0U;
    const unsigned from_a = in_a & (static_cast<unsigned>(coins & 1U) | (in_b ^ 1U));
    child[g] = static_cast<std::uint8_t>(active * (from_a * a[g] + (from_a ^ 1U) * b[g]));
  }
  return child;
}

std::vector<Flip> Genetics::flips(const Choices& choices) const {
  std::vector<Flip> found;
  for (std::size_t g = 0; g < genes_.size(); ++g) {
    if (!is_active(choices, g)) continue;
    for (std::uint8_t c = 0; c < genes_[g].num_choices; ++c) {
      if (c == choices[g]) continue;
      Flip& flip = found.emplace_back(Flip{g, c, choices});
      impose(g, c, flip.choices);
    }
  }
  return found;
}

std::uint8_t Genetics::draw_other(std::size_t gene, std::uint8_t current, core::Rng& rng) const {
  const auto other = static_cast<std::uint8_t>(rng.below(genes_[gene].num_choices - 1U));
  return other >= current ? static_cast<std::uint8_t>(other + 1) : other;
}

}  // namespace omnifit::search::detail
