#include "search/detail/screen.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace omnifit::search::detail {

Screen::Screen(const space::SearchSpace& space, const Problem& problem, const Evaluator& evaluator)
    : num_genes_(space.genes().size()) {
  for (const AdditiveMetric& metric : evaluator.additive_metrics()) {
    for (const Bound& bound : problem.bounds) {
      if (bound.metric == evaluator.metrics()[metric.column].name) {
        limits_.push_back({metric.cost, bound.min, bound.max});
      }
    }
  }
  complete_ = limits_.size() == problem.bounds.size();
  join(space);
}

void Screen::join(const space::SearchSpace& space) {
  std::vector<space::AdditiveCost::Term> terms;
  double constant = 0.0;
  double count = 0.0;
  for (const Limit& limit : limits_) count += limit.max && *limit.max > 0.0 ? 1.0 : 0.0;
  if (count == 0.0) return;
  for (const Limit& limit : limits_) {
    if (!limit.max || !(*limit.max > 0.0)) continue;
    const double scale = 1.0 / (*limit.max * count);
    constant += scale * limit.cost->constant();
    for (space::AdditiveCost::Term& term : limit.cost->terms()) {
      for (double& value : term.values) value *= scale;
      terms.push_back(std::move(term));
    }
  }
  joint_ = space::AdditiveCost::from_terms(space, terms, constant);
  find_leading_gene(terms);
}

void Screen::find_leading_gene(const std::vector<space::AdditiveCost::Term>& terms) {
  std::vector<std::uint64_t> meets(num_genes_, 0);  // a bit per gene
  for (const space::AdditiveCost::Term& term : terms) {
    std::uint64_t all = 0;
    for (const int gene : term.genes) all |= std::uint64_t{1} << static_cast<unsigned>(gene);
    for (const int gene : term.genes) meets[static_cast<std::size_t>(gene)] |= all;
  }
  int most = 3;  // itself and two others
  for (std::size_t g = 0; g < meets.size(); ++g) {
    if (std::popcount(meets[g]) < most) continue;
    most = std::popcount(meets[g]) + 1;
    leading_gene_ = g;
  }
}

double Screen::violation(const Choices& choices) const {
  double sum = 0.0;
  for (const Limit& limit : limits_) {
    const double value = (*limit.cost)(std::span(choices).first(num_genes_));
    if (!std::isfinite(value)) return std::numeric_limits<double>::infinity();
    if (limit.max) sum += relative_excess(value - *limit.max, *limit.max);
    if (limit.min) sum += relative_excess(*limit.min - value, *limit.min);
  }
  return sum;
}

bool Screen::admits(const Choices& choices) const {
  return std::ranges::all_of(limits_, [&](const Limit& limit) {
    const double value = (*limit.cost)(std::span(choices).first(num_genes_));
    // An unknown cost is within no limit.
    return value >= limit.min.value_or(-std::numeric_limits<double>::infinity()) &&
           value <= limit.max.value_or(std::numeric_limits<double>::max());
  });
}

double Screen::use(const Choices& choices) const {
  double most = 0.0;
  bool limited = false;
  for (const Limit& limit : limits_) {
    if (!limit.max || !(*limit.max > 0.0)) continue;
    limited = true;
    most = std::max(most, (*limit.cost)(std::span(choices).first(num_genes_)) / *limit.max);
  }
  return limited ? most : 1.0;
}

}  // namespace omnifit::search::detail
