#include "search/detail/climber.hpp"

#include "core/interrupt.hpp"
#include "core/threads.hpp"
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

void Climber::look(std::vector<View>& views) {
  for (const View& view : views) {
    for (const Choices& arch : view.wanted) ledger_.propose(arch);
  }
  ledger_.evaluate();
  for (View& view : views) {
    for (const Choices& arch : view.wanted) {
      if (const auto row = ledger_.find(arch)) view.seen.push_back(*row);
    }
  }
}

std::vector<std::size_t> Climber::climb(std::span<const std::size_t> starts,
                                        const GeneEffects& general) {
  std::vector<std::size_t> ends;
  std::vector<std::size_t> climbing(starts.begin(), starts.end());
  while (!climbing.empty() && ledger_.open()) {
    core::check_interrupt();
    std::vector<View> views(climbing.size());
    for (std::size_t i = 0; i < views.size(); ++i) {
      views[i].flips = genetics_.flips(ledger_.choices(climbing[i]));
      // Those beyond a bound tell what a gene is worth, too.
      for (const Flip& flip : views[i].flips) views[i].wanted.push_back(flip.choices);
    }
    look(views);
    core::parallel_for(
        static_cast<std::int64_t>(views.size()), ledger_.threads(), [&](std::int64_t index) {
          const auto i = static_cast<std::size_t>(index);
          const Choices& here = ledger_.choices(climbing[i]);
          const double value = ledger_.value(climbing[i]);
          views[i].wanted = promising(here, local_effects(here, value, views[i].flips, general));
        });
    look(views);
    std::vector<std::size_t> all_seen;
    std::vector<std::size_t> next;
    for (std::size_t i = 0; i < views.size(); ++i) {
      std::ranges::copy(views[i].seen, std::back_inserter(all_seen));
      std::size_t best = climbing[i];
      for (const std::size_t row : views[i].seen) {
        if (ledger_.fitness(row) > ledger_.fitness(best)) best = row;
      }
      std::vector<std::size_t>& to = best == climbing[i] ? ends : next;
      // Climbs that meet go on as one.
      if (std::ranges::find(to, best) == to.end()) to.push_back(best);
    }
    ledger_.record(all_seen);
    climbing = std::move(next);
  }
  std::ranges::copy(climbing, std::back_inserter(ends));
  return ends;
}

}  // namespace omnifit::search::detail
