#include "space/detail/counting.hpp"

#include "core/error.hpp"
#include "space/sampling.hpp"

#include <algorithm>
#include <array>

namespace omnifit::space {

namespace {

/// Appends every canonical arch whose first genes are fixed in `choices`, in lexicographic order.
void enumerate_from(const SearchSpace& space, std::size_t gene, std::span<std::uint8_t> choices,
                    std::vector<Arch>& archs) {
  if (gene == choices.size()) {
    archs.emplace_back(space, choices);
    return;
  }
  const Gene& facts = space.genes()[gene];
  const bool active =
      !facts.active_if ||
      choices[static_cast<std::size_t>(facts.active_if->gene)] >= facts.active_if->min_choice;
  const std::size_t open = active ? facts.choices.size() : 1;
  for (std::size_t choice = 0; choice < open; ++choice) {
    choices[gene] = static_cast<std::uint8_t>(choice);
    enumerate_from(space, gene + 1, choices, archs);
  }
}

}  // namespace

namespace detail {

std::optional<Count> count_archs(const std::vector<Gene>& genes) {
  // Genes stand behind the gene that switches them, so one backward pass knows every subtree:
  // weights[g][c] = archs of the genes that depend on g, once g has choice c.
  std::vector<std::vector<Count>> weights;
  weights.reserve(genes.size());
  for (const Gene& gene : genes) weights.emplace_back(gene.choices.size(), Count{1});
  Count total = 1;
  for (std::size_t g = genes.size(); g-- > 0;) {
    Count of_gene = 0;
    for (const Count weight : weights[g]) {
      if (__builtin_add_overflow(of_gene, weight, &of_gene)) return std::nullopt;
    }
    if (const auto& active_if = genes[g].active_if) {
      auto& owner = weights[static_cast<std::size_t>(active_if->gene)];
      for (std::size_t c = static_cast<std::size_t>(active_if->min_choice); c < owner.size(); ++c) {
        if (__builtin_mul_overflow(owner[c], of_gene, &owner[c])) return std::nullopt;
      }
    } else if (__builtin_mul_overflow(total, of_gene, &total)) {
      return std::nullopt;
    }
  }
  return total;
}

}  // namespace detail

std::string to_string(Count count) {
  std::string digits;
  do {
    digits += static_cast<char>('0' + static_cast<int>(count % 10));
    count /= 10;
  } while (count > 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

Count cardinality(const SearchSpace& space) {
  const auto count = detail::count_archs(space.genes());
  OMNIFIT_CHECK(count.has_value(), "space {} was loaded with too many archs", space.name());
  return *count;
}

Count num_genotypes(const SearchSpace& space) {
  return cardinality(space) / std::max<std::size_t>(space.resolutions().size(), 1);
}

std::vector<Arch> enumerate(const SearchSpace& space, std::size_t limit) {
  const Count count = cardinality(space);
  if (count > limit) {
    throw StateError(fmt::format("space {}/v{} has {} archs, more than the {} that may be listed",
                                 space.name(), space.version(), to_string(count), limit));
  }
  std::vector<Arch> archs;
  archs.reserve(static_cast<std::size_t>(count));
  std::array<std::uint8_t, Arch::kMaxGenes> choices{};
  enumerate_from(space, 0, std::span(choices).first(space.genes().size()), archs);
  return archs;
}

}  // namespace omnifit::space
