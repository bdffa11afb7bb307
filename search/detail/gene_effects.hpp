#pragma once

#include "search/detail/genetics.hpp"
#include "space/additive_cost.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace omnifit::search::detail {

/// What each choice of each gene adds to a figure: effects[gene][choice], while the gene is active.
using GeneEffects = std::vector<std::vector<double>>;

struct ScoredChoices {
  Choices choices{};
  double value = 0.0;
};

/// Least squares of `scored` on the genes' choices with a little shrinkage, by backfitting: one
/// gene after another takes the mean of what the others leave. The mean over `scored` belongs to no
/// gene.
GeneEffects fit_gene_effects(const Genetics& genetics, std::span<const ScoredChoices> scored);

/// No gene is worth anything.
GeneEffects no_effects(const Genetics& genetics);

/// The effects as a sum over genes; a gene without effect adds nothing.
space::AdditiveCost sum_of_effects(const Genetics& genetics, const GeneEffects& effects);

}  // namespace omnifit::search::detail
