#include "search/detail/gene_effects.hpp"

#include <algorithm>
#include <numeric>

namespace omnifit::search::detail {
namespace {

constexpr int kRounds = 10;
/// So many archs of value 0 beside those that have a choice.
constexpr double kShrinkage = 2.0;

/// Scored archs, a column per gene: the choice that is in effect, or the slot behind the last
/// choice; and what the effects do not explain yet.
class Residuals {
 public:
  Residuals(const Genetics& genetics, std::span<const ScoredChoices> scored,
            const GeneEffects& effects)
      : slots_(genetics.num_genes() * scored.size()) {
    const std::size_t count = scored.size();
    rest_.reserve(count);
    for (const ScoredChoices& one : scored) rest_.push_back(one.value);
    for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
      std::uint8_t* column = slots_.data() + g * count;
      const auto idle = static_cast<std::uint8_t>(genetics.num_choices(g));
      for (std::size_t i = 0; i < count; ++i) {
        const Choices& choices = scored[i].choices;
        column[i] = genetics.is_active(choices, g) ? choices[g] : idle;
        if (column[i] != idle) rest_[i] -= effects[g][column[i]];
      }
    }
    const double mean =
        std::accumulate(rest_.begin(), rest_.end(), 0.0) / static_cast<double>(count);
    for (double& rest : rest_) rest -= mean;
  }

  /// Every choice of the gene takes the mean of what the other genes leave to it.
  void refit(std::size_t gene, std::vector<double>& effects) {
    const std::size_t count = rest_.size();
    const std::uint8_t* column = slots_.data() + gene * count;
    sums_.assign(effects.size() + 1, {});
    for (std::size_t i = 0; i < count; ++i) {
      sums_[column[i]].rest += rest_[i];
      sums_[column[i]].count += 1.0;
    }
    for (std::size_t c = 0; c < effects.size(); ++c) {
      const Sum& sum = sums_[c];
      const double old = effects[c];
      effects[c] = (sum.rest + old * sum.count) / (sum.count + kShrinkage);
      sums_[c].rest = old - effects[c];
    }
    sums_.back().rest = 0.0;
    for (std::size_t i = 0; i < count; ++i) rest_[i] += sums_[column[i]].rest;
  }

 private:
  struct Sum {
    double rest = 0.0;
    double count = 0.0;
  };
  std::vector<std::uint8_t> slots_;
  std::vector<double> rest_;
  std::vector<Sum> sums_;
};

}  // namespace

GeneEffects no_effects(const Genetics& genetics) {
  GeneEffects effects;
  for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
    effects.emplace_back(genetics.num_choices(g), 0.0);
  }
  return effects;
}

void refine_gene_effects(const Genetics& genetics, std::span<const ScoredChoices> scored,
                         int rounds, GeneEffects& effects) {
  if (scored.empty()) return;
  Residuals residuals(genetics, scored, effects);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t g = 0; g < genetics.num_genes(); ++g) residuals.refit(g, effects[g]);
  }
}

GeneEffects fit_gene_effects(const Genetics& genetics, std::span<const ScoredChoices> scored) {
  GeneEffects effects = no_effects(genetics);
  refine_gene_effects(genetics, scored, kRounds, effects);
  return effects;
}

EffectSum::EffectSum(const Genetics& genetics, const GeneEffects& effects) : genetics_(&genetics) {
  for (const std::vector<double>& one : effects) stride_ = std::max(stride_, one.size());
  table_.resize(stride_ * effects.size());
  for (std::size_t g = 0; g < effects.size(); ++g) {
    std::ranges::copy(effects[g], table_.begin() + static_cast<std::ptrdiff_t>(g * stride_));
  }
}

double EffectSum::operator()(const Choices& choices) const {
  double total = 0.0;
  const double* row = table_.data();
  for (std::size_t g = 0; g < genetics_->num_genes(); ++g, row += stride_) {
    total += row[choices[g]] * (genetics_->is_active(choices, g) ? 1.0 : 0.0);
  }
  return total;
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
