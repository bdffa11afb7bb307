#include "search/detail/climber.hpp"

#include "core/interrupt.hpp"
#include "space/additive_trade_off.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace omnifit::search::detail {
namespace {

/// Archs that one step takes from the model.
constexpr std::size_t kPromising = 8;
/// What a changed gene must promise, as a share of the median effect.
constexpr double kTrust = 0.25;
/// Coarse, because the effects are coarser.
constexpr int kCells = 64;
/// Single changes whose pairs are tried.
constexpr std::size_t kPairedFlips = 40;

double median_of(std::vector<double> values) {
  if (values.empty()) return 0.0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

GeneEffects Climber::local_effects(const Choices& choices, double value,
                                   const std::vector<Flip>& flips,
                                   const GeneEffects& general) const {
  GeneEffects effects = general;
  for (std::size_t g = 0; g < effects.size(); ++g) {
    // Relative to the choice the arch has, or that a gene gets when it is switched on.
    const double base = effects[g][choices[g]];
    for (double& effect : effects[g]) effect -= base;
  }
  for (const Flip& flip : flips) {
    const auto row = ledger_.find(flip.choices);
    if (!row) continue;
    const double difference = ledger_.value(*row) - value;
    if (std::isfinite(difference)) effects[flip.gene][flip.choice] = difference;
  }
  return effects;
}

std::vector<Choices> Climber::promising(const Choices& choices, const GeneEffects& effects) const {
  if (screen_.joint_cost() == nullptr) return promising_pairs(choices, effects);
  std::vector<double> sizes;
  for (std::size_t g = 0; g < effects.size(); ++g) {
    if (!genetics_.is_active(choices, g)) continue;
    for (std::size_t c = 0; c < effects[g].size(); ++c) {
      if (c != choices[g]) sizes.push_back(std::abs(effects[g][c]));
    }
  }
  const double price = kTrust * median_of(std::move(sizes));
  GeneEffects trusted = effects;
  for (std::size_t g = 0; g < effects.size(); ++g) {
    if (!genetics_.is_active(choices, g)) continue;
    for (std::size_t c = 0; c < effects[g].size(); ++c) {
      if (c != choices[g]) trusted[g][c] -= price;
    }
  }
  const auto front = space::additive_trade_off(genetics_.space(), *screen_.joint_cost(),
                                               sum_of_effects(genetics_, trusted),
                                               {.max_cost = 1.0, .cells = kCells});
  std::vector<Choices> found;
  for (std::size_t i = front.size(); i-- > 0 && found.size() < kPromising;) {
    const Choices candidate = genetics_.choices(front[i].arch);
    if (screen_.admits(candidate)) found.push_back(candidate);
  }
  return found;
}

std::vector<Choices> Climber::promising_pairs(const Choices& choices,
                                              const GeneEffects& effects) const {
  std::vector<std::pair<double, Flip>> singles;
  for (const Flip& flip : genetics_.flips(choices)) {
    singles.emplace_back(effects[flip.gene][flip.choice], flip);
  }
  std::ranges::stable_sort(singles, [](const auto& a, const auto& b) { return a.first > b.first; });
  if (singles.size() > kPairedFlips) singles.resize(kPairedFlips);
  std::vector<std::pair<double, Choices>> pairs;
  for (std::size_t i = 0; i < singles.size(); ++i) {
    for (std::size_t j = i + 1; j < singles.size(); ++j) {
      const Flip& second = singles[j].second;
      if (singles[i].second.gene == second.gene) continue;
      Choices both = singles[i].second.choices;
      if (!genetics_.is_active(both, second.gene)) continue;
      both[second.gene] = second.choice;
      genetics_.canonicalise(both);
      if (screen_.admits(both)) pairs.emplace_back(singles[i].first + singles[j].first, both);
    }
  }
  std::ranges::stable_sort(pairs, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Choices> found;
  for (std::size_t i = 0; i < pairs.size() && found.size() < 4 * kPromising; ++i) {
    found.push_back(pairs[i].second);
  }
  return found;
}

std::vector<std::size_t> Climber::try_all(const std::vector<Choices>& archs) {
  for (const Choices& arch : archs) ledger_.propose(arch);
  ledger_.evaluate();
  std::vector<std::size_t> rows;
  for (const Choices& arch : archs) {
    if (const auto row = ledger_.find(arch)) rows.push_back(*row);
  }
  return rows;
}

std::size_t Climber::climb(std::size_t start, const GeneEffects& general) {
  std::size_t at = start;
  while (ledger_.open()) {
    core::check_interrupt();
    const Choices here = ledger_.choices(at);
    const std::vector<Flip> around = genetics_.flips(here);
    // Those beyond a bound tell what a gene is worth, too.
    std::vector<Choices> archs;
    archs.reserve(around.size());
    for (const Flip& flip : around) archs.push_back(flip.choices);
    std::vector<std::size_t> seen = try_all(archs);
    const GeneEffects effects = local_effects(here, ledger_.value(at), around, general);
    std::ranges::copy(try_all(promising(here, effects)), std::back_inserter(seen));
    ledger_.record(seen);
    std::size_t best = at;
    for (const std::size_t row : seen) {
      if (ledger_.fitness(row) > ledger_.fitness(best)) best = row;
    }
    if (best == at) break;
    at = best;
  }
  return at;
}

}  // namespace omnifit::search::detail
