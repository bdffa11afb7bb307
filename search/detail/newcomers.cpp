#include "search/detail/newcomers.hpp"

#include "core/threads.hpp"
#include "search/detail/repair.hpp"
#include "space/additive_trade_off.hpp"
#include "space/sampling.hpp"

#include <algorithm>

namespace omnifit::search::detail {
namespace {

/// Share of the upper limits that an arch uses up if it can: the best archs lie near them.
constexpr double kWantedUse = 0.7;
/// Draws for an arch that does.
constexpr int kMaxDraws = 30;
/// Archs of a population by dynamic programming.
constexpr std::size_t kByEffects = 8;
/// Steps of cost that dynamic programming tells apart.
constexpr int kCells = 256;

}  // namespace

std::optional<Choices> Newcomers::random_arch(core::Rng& rng, std::optional<Theme> theme) const {
  std::optional<Choices> admitted;
  Choices drawn{};
  for (int draw = 0; draw < kMaxDraws; ++draw) {
    drawn = genetics_.choices(space::sample_spread(genetics_.space(), rng));
    if (theme) genetics_.impose(theme->gene, theme->choice, drawn);
    if (!screen_.admits(drawn)) continue;
    if (screen_.use(drawn) >= kWantedUse) return drawn;
    admitted = drawn;
  }
  return admitted ? admitted : repaired(drawn);
}

std::vector<std::size_t> Newcomers::population(std::size_t size, int number,
                                               std::span<const space::Arch> seeds,
                                               std::optional<Theme> theme) {
  std::vector<std::size_t> members;
  std::vector<Choices> wanted;
  for (std::size_t i = 0; i < seeds.size() && i < size; ++i) {
    wanted.push_back(genetics_.choices(seeds[i]));
  }
  const std::size_t by_effects =
      screen_.joint_cost() == nullptr ? 0 : std::min(kByEffects, size / 4);
  const std::uint64_t max_drawn = 20 * size;
  for (std::uint64_t drawn = 0; wanted.size() + by_effects < size && drawn < max_drawn;) {
    std::vector<std::optional<Choices>> archs(
        std::min<std::uint64_t>(size - by_effects - wanted.size(), max_drawn - drawn));
    core::parallel_for(
        static_cast<std::int64_t>(archs.size()), ledger_.threads(), [&](std::int64_t index) {
          const auto i = static_cast<std::uint64_t>(index);
          core::Rng rng = core::Rng::stream(seed_, core::Purpose::kSearch,
                                            {0, static_cast<std::uint64_t>(number), drawn + i});
          archs[i] = random_arch(rng, theme);
        });
    drawn += archs.size();
    for (const auto& arch : archs) {
      if (arch && std::ranges::find(wanted, *arch) == wanted.end()) wanted.push_back(*arch);
    }
  }
  const auto evaluate = [&](const std::vector<Choices>& archs) {
    for (const Choices& arch : archs) ledger_.propose(arch);
    ledger_.evaluate();
    for (const Choices& arch : archs) {
      if (const auto row = ledger_.find(arch)) members.push_back(*row);
    }
  };
  evaluate(wanted);
  effects_ = ledger_.effects();
  if (by_effects > 0) evaluate(best_by_effects());
  std::ranges::sort(members);
  members.erase(std::unique(members.begin(), members.end()), members.end());
  return members;
}

std::vector<Choices> Newcomers::best_by_effects() const {
  const auto front = space::additive_trade_off(genetics_.space(), *screen_.joint_cost(),
                                               sum_of_effects(genetics_, effects_),
                                               {.max_cost = 1.0, .cells = kCells});
  std::vector<Choices> best;
  for (std::size_t i = front.size(); i-- > 0 && best.size() < kByEffects;) {
    const Choices choices = genetics_.choices(front[i].arch);
    if (screen_.admits(choices)) best.push_back(choices);
  }
  return best;
}

std::optional<Choices> Newcomers::repaired(const Choices& choices) const {
  return repair(genetics_, screen_, choices, effects_);
}

bool Newcomers::propose_neighbour() {
  for (; oldest_open_ < ledger_.size(); ++oldest_open_) {
    for (const Flip& flip : genetics_.flips(ledger_.choices(oldest_open_))) {
      if (screen_.admits(flip.choices) && ledger_.propose(flip.choices)) return true;
    }
  }
  return false;
}

}  // namespace omnifit::search::detail
