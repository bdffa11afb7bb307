#include "search/evolution.hpp"

#include "core/interrupt.hpp"
#include "core/rng.hpp"
#include "search/detail/archive.hpp"
#include "search/detail/config_check.hpp"
#include "search/pareto.hpp"
#include "space/arch.hpp"
#include "space/sampling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <vector>

namespace omnifit::search {
namespace {

/// Attempts to have a child that nobody has seen before the next unknown neighbour is taken
/// instead.
constexpr int kMaxAttempts = 50;

using Population = std::vector<std::size_t>;  // archive indices, best first

void check(const EvolutionConfig& config, const space::SearchSpace& space,
           std::span<const space::Arch> seeds) {
  detail::require_in("population_size", config.population_size, detail::kPopulationRange);
  detail::require_in("generations", config.generations, detail::kGenerationsRange);
  detail::require_in("parent_ratio", config.parent_ratio, detail::kParentRatioRange);
  detail::require_in("mutation_share", config.mutation_share, detail::kShareRange);
  detail::require_in("mutation_prob", config.mutation_prob, detail::kShareRange);
  detail::require_in("max_evaluations", config.max_evaluations, detail::kEvaluationsRange);
  detail::require_of_space(seeds, space);
}

/// Fronts first, and within a front the less crowded first (NSGA-II). @pre all members are feasible
void sort_by_rank_and_crowding(const detail::Archive& archive, std::span<std::size_t> members) {
  MetricTable points(members.size(), archive.num_objectives());
  for (std::size_t i = 0; i < members.size(); ++i) {
    std::ranges::copy(archive[members[i]].score.objectives, points.row(i).begin());
  }
  const std::vector<int> ranks = non_dominated_ranks(points);
  std::vector<double> distances(members.size(), 0.0);
  const int num_fronts = ranks.empty() ? 0 : *std::ranges::max_element(ranks) + 1;
  for (int rank = 0; rank < num_fronts; ++rank) {
    std::vector<std::size_t> front;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (ranks[i] == rank) front.push_back(i);
    }
    const std::vector<double> of_front = crowding_distances(points, front);
    for (std::size_t i = 0; i < front.size(); ++i) distances[front[i]] = of_front[i];
  }
  std::vector<std::size_t> order(members.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    if (ranks[a] != ranks[b]) return ranks[a] < ranks[b];
    if (distances[a] != distances[b]) return distances[a] > distances[b];
    return members[a] < members[b];
  });
  Population sorted;
  for (const std::size_t i : order) sorted.push_back(members[i]);
  std::ranges::copy(sorted, members.begin());
}

/// Best first; equals by age, so that the result never depends on how a sort treats them.
void sort_best_first(const detail::Archive& archive, Population& members) {
  std::ranges::sort(members, [&](std::size_t a, std::size_t b) {
    if (better(archive[a].score, archive[b].score)) return true;
    if (better(archive[b].score, archive[a].score)) return false;
    return a < b;
  });
  if (archive.num_objectives() == 1) return;
  const auto end = std::ranges::find_if(
      members, [&](std::size_t member) { return !archive[member].score.feasible; });
  sort_by_rank_and_crowding(archive, std::span(members.begin(), end));
}

/// Has children of the head of the population.
class Breeder {
 public:
  Breeder(const EvolutionConfig& config, const space::SearchSpace& space, detail::Archive& archive)
      : config_(config), space_(space), archive_(archive) {}

  void propose_child(const Population& population, core::Rng rng) {
    const auto num_parents = std::clamp<std::size_t>(
        static_cast<std::size_t>(std::llround(config_.parent_ratio * config_.population_size)), 1,
        population.size());
    const std::span parents(population.begin(), num_parents);
    const bool by_mutation = rng.bernoulli(config_.mutation_share);
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      // Parents that have become alike have no new children by crossover.
      const bool mutate = by_mutation || attempt >= kMaxAttempts / 2;
      const auto child = mutate ? mutated(parents, rng) : std::optional(crossed(parents, rng));
      if (child && archive_.propose(*child)) return;
    }
    archive_.propose_neighbour();
  }

 private:
  /// The better of two drawn at random: the head of the population is sorted best first.
  const space::Arch& draw(std::span<const std::size_t> parents, core::Rng& rng) const {
    const std::uint64_t first = rng.below(parents.size());
    const std::uint64_t second = rng.below(parents.size());
    return archive_[parents[std::min(first, second)]].arch;
  }

  std::optional<space::Arch> mutated(std::span<const std::size_t> parents, core::Rng& rng) const {
    return space::mutate(space_, draw(parents, rng), config_.mutation_prob, rng);
  }

  space::Arch crossed(std::span<const std::size_t> parents, core::Rng& rng) const {
    const space::Arch& a = draw(parents, rng);
    const space::Arch& b = draw(parents, rng);
    const space::Arch child = space::crossover(space_, a, b, rng);
    if (rng.bernoulli(0.5)) return child;
    // Parents grow alike; a single step more keeps finding new archs near them.
    return space::mutate(space_, child, 0.0, rng).value_or(child);
  }

  const EvolutionConfig& config_;
  const space::SearchSpace& space_;
  detail::Archive& archive_;
};

/// Seeds first, then random archs.
Population initial_population(const EvolutionConfig& config, const space::SearchSpace& space,
                              std::span<const space::Arch> seeds, std::uint64_t seed,
                              detail::Archive& archive) {
  const std::int64_t wanted = std::min<std::int64_t>(archive.room(), config.population_size);
  const auto count = [&] { return static_cast<std::int64_t>(archive.batch_size()); };
  for (std::size_t i = 0; i < seeds.size() && count() < wanted; ++i) archive.propose(seeds[i]);
  for (std::uint64_t i = 0; count() < wanted && i < 20 * static_cast<std::uint64_t>(wanted); ++i) {
    core::Rng rng = core::Rng::stream(seed, core::Purpose::kSearch, {0, i});
    archive.propose(space::sample(space, rng));
  }
  // In a space hardly larger than the population, drawing may leave a rest: breeding fills it up.
  return archive.evaluate();
}

}  // namespace

void EvolutionConfig::fields(core::Fields& f) {
  f.integer("population_size", population_size, detail::kPopulationRange,
            "subnets kept, and new ones per generation");
  f.integer("generations", generations, detail::kGenerationsRange, "after the initial population");
  f.real("parent_ratio", parent_ratio, detail::kParentRatioRange,
         "best share of the population that has children");
  f.real("mutation_share", mutation_share, detail::kShareRange,
         "share of children by mutation, the rest by crossover");
  f.real("mutation_prob", mutation_prob, detail::kShareRange,
         "chance that a gene of a mutant changes; at least one does");
  f.integer("max_evaluations", max_evaluations, detail::kEvaluationsRange,
            "distinct subnets scored");
}

SearchTrace run_evolution(const EvolutionConfig& config, const space::SearchSpace& space,
                          Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                          core::ProgressSink& progress, std::span<const space::Arch> seeds) {
  check(config, space, seeds);
  detail::Archive archive(space, evaluator, problem, config.max_evaluations, progress);
  Breeder breeder(config, space, archive);
  const auto population_size = static_cast<std::size_t>(config.population_size);

  Population population = initial_population(config, space, seeds, seed, archive);
  sort_best_first(archive, population);
  archive.record(population);
  for (int generation = 1; generation <= config.generations && archive.room() > 0; ++generation) {
    core::check_interrupt();
    const std::int64_t brood = std::min<std::int64_t>(archive.room(), config.population_size);
    for (std::int64_t i = 0; i < brood; ++i) {
      breeder.propose_child(population, core::Rng::stream(seed, core::Purpose::kSearch,
                                                          {static_cast<std::uint64_t>(generation),
                                                           static_cast<std::uint64_t>(i)}));
    }
    std::ranges::copy(archive.evaluate(), std::back_inserter(population));
    sort_best_first(archive, population);
    if (population.size() > population_size) population.resize(population_size);
    archive.record(population);
  }
  return archive.finish();
}

}  // namespace omnifit::search
