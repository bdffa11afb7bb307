#include "search/detail/joint_bound.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace omnifit::search::detail {
namespace {

/// Brings an amount to a gap: relative to the limit, and growing with what is wrong.
double factor_of(const AdditiveLimit& limit) {
  const double scale = limit.value == 0.0 ? 1.0 : std::abs(limit.value);
  return (limit.at_least ? -1.0 : 1.0) / scale;
}

}  // namespace

JointBound::JointBound(const space::SearchSpace& space, std::span<const AdditiveLimit> limits)
    : space_(space), limits_(limits), has_unknown_(limits.size(), false) {
  std::map<std::vector<int>, std::vector<std::pair<std::size_t, std::vector<double>>>> by_genes;
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const double factor = factor_of(limits[i]);
    for (space::AdditiveCost::Term& term : limits[i].cost->terms()) {
      for (double& value : term.values) {
        value *= factor;
        if (std::isnan(value)) has_unknown_[i] = true;
      }
      by_genes[term.genes].emplace_back(i, std::move(term.values));
    }
  }
  for (auto& [genes, of_limits] : by_genes) tables_.push_back({genes, std::move(of_limits)});
}

std::vector<double> JointBound::gaps(const space::Arch& arch) const {
  std::vector<double> result;
  for (const AdditiveLimit& limit : limits_) {
    result.push_back(factor_of(limit) * ((*limit.cost)(arch)-limit.value));
  }
  return result;
}

bool JointBound::keeps(const space::Arch& arch) const {
  return std::ranges::all_of(
      limits_, [&](const AdditiveLimit& limit) { return limit.kept_by((*limit.cost)(arch)); });
}

std::optional<space::Arch> JointBound::least(std::span<const double> weights,
                                             const Fixed& fixed) const {
  std::vector<space::AdditiveCost::Term> terms;
  for (const Table& table : tables_) {
    auto& term = terms.emplace_back();
    term.genes = table.genes;
    term.values.resize(table.of_limits.front().second.size());
    for (const auto& [limit, values] : table.of_limits) {
      // Not left out at weight 0: what is unknown stays unknown.
      for (std::size_t i = 0; i < values.size(); ++i) term.values[i] += weights[limit] * values[i];
    }
  }
  for (const auto& [gene, choice] : fixed) {
    auto& term = terms.emplace_back();
    term.genes = {gene};
    term.values.assign(space_.genes()[static_cast<std::size_t>(gene)].choices.size(),
                       std::numeric_limits<double>::quiet_NaN());
    term.values[choice] = 0.0;
  }
  try {
    return space::AdditiveCost::from_terms(space_, terms).minimum(space_).arch;
  } catch (const StateError&) {
    // No arch has these choices: one of the genes has no effect beside the others.
    return std::nullopt;
  }
}

}  // namespace omnifit::search::detail
