#include "space/sampling.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <stdexcept>

namespace omnifit::space {

namespace {

using Choices = std::array<std::uint8_t, Arch::kMaxGenes>;

bool is_active(const Gene& gene, const Choices& choices) {
  return !gene.active_if ||
         choices[static_cast<std::size_t>(gene.active_if->gene)] >= gene.active_if->min_choice;
}

Arch make_arch(const SearchSpace& space, const Choices& choices) {
  return {space, std::span<const std::uint8_t>(choices).first(space.genes().size())};
}

std::uint8_t draw(std::size_t num_choices, core::Rng& rng) {
  return static_cast<std::uint8_t>(rng.below(num_choices));
}

/// Choice c of n with a probability proportional to exp(leaning · x), x running from -1 to 1.
std::uint8_t draw_leaning(std::size_t num_choices, double leaning, core::Rng& rng) {
  std::vector<double> up_to;
  double sum = 0.0;
  for (std::size_t c = 0; c < num_choices; ++c) {
    const double x = 2.0 * static_cast<double>(c) / static_cast<double>(num_choices - 1) - 1.0;
    sum += std::exp(leaning * x);
    up_to.push_back(sum);
  }
  const double drawn = rng.uniform(0.0, sum);
  const auto chosen = std::upper_bound(up_to.begin(), up_to.end() - 1, drawn);
  return static_cast<std::uint8_t>(chosen - up_to.begin());
}

/// Uniform over the choices other than `current`.
std::uint8_t draw_other(std::size_t num_choices, int current, core::Rng& rng) {
  const std::uint8_t other = draw(num_choices - 1, rng);
  return other >= current ? static_cast<std::uint8_t>(other + 1) : other;
}

void check_subspace(const SearchSpace& space, const Subspace& subspace) {
  OMNIFIT_CHECK(subspace.open.size() == space.genes().size(),
                "a subspace of {} genes was used with space {} of {} genes", subspace.open.size(),
                space.name(), space.genes().size());
}

/// Walks the genes in order and lets `moves(gene)` decide which of the parent's active genes move;
/// genes that become active on the way are drawn.
template <class Moves>
Arch mutate_genes(const SearchSpace& space, const Arch& parent, core::Rng& rng, Moves moves) {
  Choices choices{};
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    const Gene& gene = space.genes()[g];
    const int index = static_cast<int>(g);
    if (!is_active(gene, choices)) continue;
    if (!is_active(space, parent, index)) {
      choices[g] = draw(gene.choices.size(), rng);
    } else if (moves(index)) {
      choices[g] = draw_other(gene.choices.size(), parent.choice(index), rng);
    } else {
      choices[g] = static_cast<std::uint8_t>(parent.choice(index));
    }
  }
  return make_arch(space, choices);
}

std::vector<int> active_genes(const SearchSpace& space, const Arch& arch) {
  std::vector<int> active;
  for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
    if (is_active(space, arch, g)) active.push_back(g);
  }
  return active;
}

}  // namespace

Subspace Subspace::all(const SearchSpace& space) {
  Subspace subspace;
  for (const Gene& gene : space.genes()) {
    auto& open = subspace.open.emplace_back();
    for (std::size_t c = 0; c < gene.choices.size(); ++c) {
      open.push_back(static_cast<std::uint8_t>(c));
    }
  }
  return subspace;
}

void Subspace::keep_largest(const SearchSpace& space, Axis axis, int count) {
  if (count < 0)
    throw std::invalid_argument(fmt::format("count must be at least 0, got {}", count));
  check_subspace(space, *this);
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    const std::size_t num_choices = space.genes()[g].choices.size();
    if (space.genes()[g].axis != axis) continue;
    const auto kept = static_cast<std::size_t>(count);
    const std::size_t first = kept == 0 || kept > num_choices ? 0 : num_choices - kept;
    open[g].clear();
    for (std::size_t c = first; c < num_choices; ++c) {
      open[g].push_back(static_cast<std::uint8_t>(c));
    }
  }
}

Arch sample(const SearchSpace& space, const Subspace& subspace, core::Rng& rng) {
  check_subspace(space, subspace);
  Choices choices{};
  for (std::size_t g = 0; g < subspace.open.size(); ++g) {
    const auto& open = subspace.open[g];
    choices[g] = open[static_cast<std::size_t>(rng.below(open.size()))];
  }
  return make_arch(space, choices);
}

Arch sample(const SearchSpace& space, core::Rng& rng) {
  Choices choices{};
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    choices[g] = draw(space.genes()[g].choices.size(), rng);
  }
  return make_arch(space, choices);
}

Arch sample_spread(const SearchSpace& space, core::Rng& rng) {
  // Strong enough that the ends of an axis are reached, for all its genes at once.
  constexpr double kStrongest = 4.0;
  std::map<Axis, double> leanings;
  Choices choices{};
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    const Gene& gene = space.genes()[g];
    const auto [leaning, is_new] = leanings.try_emplace(gene.axis, 0.0);
    if (is_new) leaning->second = rng.uniform(-kStrongest, kStrongest);
    choices[g] = draw_leaning(gene.choices.size(), leaning->second, rng);
  }
  return make_arch(space, choices);
}

std::optional<Arch> mutate(const SearchSpace& space, const Arch& parent, double prob,
                           core::Rng& rng) {
  if (!(prob >= 0.0 && prob <= 1.0)) {
    throw std::invalid_argument(fmt::format("prob must be in [0, 1], got {}", prob));
  }
  if (space.genes().empty()) return std::nullopt;
  Arch child = mutate_genes(space, parent, rng, [&](int) { return rng.bernoulli(prob); });
  if (child != parent) return child;
  const std::vector<int> active = active_genes(space, parent);
  const int forced = active[static_cast<std::size_t>(rng.below(active.size()))];
  return mutate_genes(space, parent, rng, [forced](int gene) { return gene == forced; });
}

Arch crossover(const SearchSpace& space, const Arch& a, const Arch& b, core::Rng& rng) {
  Choices choices{};
  for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
    const bool coin = rng.below(2) == 0;
    // A parent in which the gene has no effect has nothing to give.
    const bool from_a = is_active(space, a, g) && (coin || !is_active(space, b, g));
    choices[static_cast<std::size_t>(g)] =
        static_cast<std::uint8_t>(from_a ? a.choice(g) : b.choice(g));
  }
  return make_arch(space, choices);
}

std::vector<Arch> neighbours(const SearchSpace& space, const Arch& arch) {
  std::vector<Arch> found;
  for (const int g : active_genes(space, arch)) {
    Choices choices{};
    std::copy(arch.choices().begin(), arch.choices().end(), choices.begin());
    const auto num_choices =
        static_cast<int>(space.genes()[static_cast<std::size_t>(g)].choices.size());
    for (int choice = 0; choice < num_choices; ++choice) {
      if (choice == arch.choice(g)) continue;
      choices[static_cast<std::size_t>(g)] = static_cast<std::uint8_t>(choice);
      found.push_back(make_arch(space, choices));
    }
  }
  return found;
}

}  // namespace omnifit::space
