#include "latency_lut/network_choice.hpp"

#include "core/rng.hpp"
#include "latency_lut/detail/streams.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

namespace omnifit::latency {
namespace {

constexpr int kDrawsPerNetwork = 40;

/// Candidates by cost and whether they were taken; equal costs in the order of the archs, so that
/// the choice is deterministic.
using Pool = std::map<std::pair<double, space::Arch>, bool>;

/// Random archs alone crowd in the middle of the costs: a third is crossed with the cheapest arch,
/// a third with the dearest.
Pool draw_pool(const space::SearchSpace& space, const space::AdditiveCost& cost, int num_draws,
               std::uint64_t seed) {
  core::Rng rng = detail::stream(seed, detail::Draw::kNetworks);
  const space::AdditiveCost::Extreme cheapest = cost.minimum(space);
  const space::AdditiveCost::Extreme dearest = cost.maximum(space);
  Pool pool;
  for (int i = 0; i < num_draws; ++i) {
    space::Arch arch = space::sample(space, rng);
    if (i % 3 == 1) arch = space::crossover(space, arch, cheapest.arch, rng);
    if (i % 3 == 2) arch = space::crossover(space, arch, dearest.arch, rng);
    const double value = cost(arch);
    if (!std::isnan(value)) pool.emplace(std::pair(value, arch), false);
  }
  pool.emplace(std::pair(cheapest.cost, cheapest.arch), false);
  pool.emplace(std::pair(dearest.cost, dearest.arch), false);
  return pool;
}

/// Takes the unused candidate whose cost is nearest to `target`. @pre one is left
space::Arch take_nearest(Pool& pool, double target) {
  auto best = pool.end();
  double best_distance = 0.0;
  for (auto it = pool.begin(); it != pool.end(); ++it) {
    const double distance = std::abs(it->first.first - target);
    if (!it->second && (best == pool.end() || distance < best_distance)) {
      best = it;
      best_distance = distance;
    }
  }
  best->second = true;
  return best->first.second;
}

/// Plain random archs of the space that are not used yet; where a small space runs out of draws,
/// the rest comes from the pool. @pre the pool has that many left
std::vector<space::Arch> take_random(const space::SearchSpace& space,
                                     const space::AdditiveCost& cost, Pool& pool, int count,
                                     std::uint64_t seed) {
  core::Rng rng = detail::stream(seed, detail::Draw::kChecks);
  std::vector<space::Arch> archs;
  for (int i = 0; i < kDrawsPerNetwork * count && static_cast<int>(archs.size()) < count; ++i) {
    const space::Arch arch = space::sample(space, rng);
    const double value = cost(arch);
    if (std::isnan(value)) continue;
    bool& used = pool.emplace(std::pair(value, arch), false).first->second;
    if (!used) archs.push_back(arch);
    used = true;
  }
  for (auto& [candidate, used] : pool) {
    if (static_cast<int>(archs.size()) == count) break;
    if (!used) archs.push_back(candidate.second);
    used = true;
  }
  return archs;
}

}  // namespace

NetworkChoice choose_networks(const space::SearchSpace& space, const space::AdditiveCost& cost,
                              int num_correction, int num_check, std::uint64_t seed) {
  NetworkChoice choice;
  const int wanted = num_correction + num_check;
  if (wanted == 0) return choice;
  Pool pool = draw_pool(space, cost, kDrawsPerNetwork * wanted, seed);
  const auto available = static_cast<int>(pool.size());
  if (available < wanted) {
    num_correction = (num_correction * available + wanted - 1) / wanted;
    num_check = available - num_correction;
  }
  const double low = pool.begin()->first.first;
  const double high = std::prev(pool.end())->first.first;
  // Both ends first, so that the correction never reaches beyond what it was fitted on.
  std::vector<double> targets;
  if (num_correction == 1) targets = {(low + high) / 2.0};
  if (num_correction >= 2) targets = {low, high};
  for (int i = 1; i + 1 < num_correction; ++i) {
    targets.push_back(low + (high - low) * i / (num_correction - 1));
  }
  for (double target : targets) choice.correction.push_back(take_nearest(pool, target));
  choice.check = take_random(space, cost, pool, num_check, seed);
  return choice;
}

space::NetworkPlan reference_network(const space::SearchSpace& space, const space::TaskIo& io) {
  std::vector<std::uint8_t> middle;
  for (const space::Gene& gene : space.genes()) {
    middle.push_back(static_cast<std::uint8_t>(gene.choices.size() / 2));
  }
  return space::lower(space, space::Arch(space, middle), io);
}

}  // namespace omnifit::latency
