#include "search/detail/gene_effects.hpp"

#include <array>
#include <utility>

namespace omnifit::search::detail {
namespace {

constexpr int kRounds = 10;
/// So many archs of value 0 beside those that have a choice.
constexpr double kShrinkage = 2.0;

/// An arch and what the effects do not explain yet.
struct Row {
  Choices choices{};
  std::uint64_t active = 0;  ///< a bit per gene
  double rest = 0.0;
};

std::vector<Row> rows_of(const Genetics& genetics, std::span<const ScoredChoices> scored) {
  double mean = 0.0;
  for (const ScoredChoices& one : scored) mean += one.value / static_cast<double>(scored.size());
  std::vector<Row> rows;
  rows.reserve(scored.size());
  for (const ScoredChoices& one : scored) {
    Row& row = rows.emplace_back(Row{one.choices, 0, one.value - mean});
    for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
      if (genetics.is_active(one.choices, g)) row.active |= std::uint64_t{1} << g;
    }
  }
  return rows;
}

void refit(std::size_t gene, std::vector<double>& effects, std::vector<Row>& rows) {
  std::vector<std::pair<double, double>> sums(effects.size(), {0.0, kShrinkage});
  const std::uint64_t bit = std::uint64_t{1} << gene;
  for (const Row& row : rows) {
    if ((row.active & bit) == 0) continue;
    auto& [sum, count] = sums[row.choices[gene]];
    sum += row.rest + effects[row.choices[gene]];
    count += 1.0;
  }
  for (Row& row : rows) {
    if ((row.active & bit) == 0) continue;
    const auto& [sum, count] = sums[row.choices[gene]];
    row.rest += effects[row.choices[gene]] - sum / count;
  }
  for (std::size_t c = 0; c < effects.size(); ++c) effects[c] = sums[c].first / sums[c].second;
}

}  // namespace

GeneEffects fit_gene_effects(const Genetics& genetics, std::span<const ScoredChoices> scored) {
  GeneEffects effects;
  for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
    effects.emplace_back(genetics.num_choices(g), 0.0);
  }
  if (scored.empty()) return effects;
  std::vector<Row> rows = rows_of(genetics, scored);
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t g = 0; g < genetics.num_genes(); ++g) refit(g, effects[g], rows);
  }
  return effects;
}

space::AdditiveCost sum_of_effects(const Genetics& genetics, const GeneEffects& effects) {
  std::vector<space::AdditiveCost::Term> terms;
  const std::vector<space::Gene>& genes = genetics.space().genes();
  for (std::size_t g = 0; g < genes.size(); ++g) {
    const auto& owner = genes[g].active_if;
    if (!owner) {
      terms.push_back({.genes = {static_cast<int>(g)}, .values = effects[g]});
      continue;
    }
    auto& term = terms.emplace_back();
    term.genes = {owner->gene, static_cast<int>(g)};
    const std::size_t owner_choices = genetics.num_choices(static_cast<std::size_t>(owner->gene));
    for (std::size_t o = 0; o < owner_choices; ++o) {
      for (const double effect : effects[g]) {
        term.values.push_back(static_cast<int>(o) >= owner->min_choice ? effect : 0.0);
      }
    }
  }
  return space::AdditiveCost::from_terms(genetics.space(), terms);
}

}  // namespace omnifit::search::detail
