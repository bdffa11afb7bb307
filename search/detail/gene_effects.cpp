#include "search/detail/gene_effects.hpp"

#include <Eigen/Core>

#include <algorithm>

namespace omnifit::search::detail {
namespace {

constexpr int kRounds = 10;
/// So many archs of value 0 beside those that have a choice.
constexpr double kShrinkage = 2.0;

/// What the effects of scored archs do not explain yet. Choices are columns of ones and zeros, so
/// that sums over archs are products of vectors.
class Residuals {
 public:
  Residuals(const Genetics& genetics, std::span<const ScoredChoices> scored) {
    for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
      first_.push_back(num_columns_);
      num_columns_ += static_cast<Eigen::Index>(genetics.num_choices(g));
    }
    const auto count = static_cast<Eigen::Index>(scored.size());
    ones_.setZero(count, num_columns_);
    rest_.resize(count);
    for (Eigen::Index i = 0; i < count; ++i) {
      const ScoredChoices& one = scored[static_cast<std::size_t>(i)];
      for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
        if (!genetics.is_active(one.choices, g)) continue;
        ones_(i, first_[g] + one.choices[g]) = 1.0;
      }
      rest_(i) = one.value;
    }
    rest_.array() -= rest_.mean();
    counts_ = ones_.colwise().sum();
  }

  /// Every choice of the gene takes the mean of what the other genes leave to it.
  void refit(std::size_t gene, std::vector<double>& effects) {
    for (std::size_t c = 0; c < effects.size(); ++c) {
      const Eigen::Index column = first_[gene] + static_cast<Eigen::Index>(c);
      const double old = effects[c];
      const double sum = ones_.col(column).dot(rest_);
      effects[c] = (sum + old * counts_(column)) / (counts_(column) + kShrinkage);
      // An arch has one choice of a gene: the next ones do not see this.
      rest_ += (old - effects[c]) * ones_.col(column);
    }
  }

 private:
  std::vector<Eigen::Index> first_;  ///< column of each gene
  Eigen::Index num_columns_ = 0;
  Eigen::MatrixXd ones_;  ///< [arch, choice of gene]
  Eigen::VectorXd rest_;
  Eigen::RowVectorXd counts_;
};

}  // namespace

GeneEffects no_effects(const Genetics& genetics) {
  GeneEffects effects;
  for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
    effects.emplace_back(genetics.num_choices(g), 0.0);
  }
  return effects;
}

GeneEffects fit_gene_effects(const Genetics& genetics, std::span<const ScoredChoices> scored) {
  GeneEffects effects = no_effects(genetics);
  if (scored.empty()) return effects;
  Residuals residuals(genetics, scored);
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t g = 0; g < genetics.num_genes(); ++g) residuals.refit(g, effects[g]);
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
