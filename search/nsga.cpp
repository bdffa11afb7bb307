#include "search/nsga.hpp"

#include "core/interrupt.hpp"
#include "core/rng.hpp"
#include "search/detail/archive.hpp"
#include "search/detail/config_check.hpp"
#include "search/detail/survival.hpp"
#include "space/arch.hpp"
#include "space/sampling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace omnifit::search {
namespace {

/// Attempts to have a child that nobody has seen before the next unknown neighbour is taken
/// instead.
constexpr int kMaxAttempts = 30;

using Survive = std::function<std::vector<detail::Standing>(const detail::Candidates&, core::Rng)>;

void check(const NsgaConfig& config, const space::SearchSpace& space,
           std::span<const space::Arch> seeds) {
  detail::require_in("population_size", config.population_size, detail::kPopulationRange);
  detail::require_in("generations", config.generations, detail::kGenerationsRange);
  detail::require_in("crossover_prob", config.crossover_prob, detail::kShareRange);
  detail::require_in("mutation_prob", config.mutation_prob, detail::kShareRange);
  detail::require_in("max_evaluations", config.max_evaluations, detail::kEvaluationsRange);
  detail::require_of_space(seeds, space);
}

/// One population after the other over an archive.
class Generations {
 public:
  Generations(const NsgaConfig& config, const space::SearchSpace& space, detail::Archive& archive,
              const Scorer& scorer, std::uint64_t seed)
      : config_(config), space_(space), archive_(archive), scorer_(scorer), seed_(seed) {}

  [[nodiscard]] std::size_t num_coordinates() const {
    return scorer_.num_objectives() > 1 ? scorer_.num_objectives() : scorer_.num_trade_off();
  }

  void run(std::span<const space::Arch> seeds, const Survive& survive) {
    propose_first(seeds);
    std::vector<std::size_t> members = archive_.evaluate();
    select(members, survive, 0);
    for (int generation = 1; generation <= config_.generations && archive_.room() > 0;
         ++generation) {
      core::check_interrupt();
      const std::int64_t brood = std::min<std::int64_t>(archive_.room(), config_.population_size);
      for (std::int64_t i = 0; i < brood; ++i) propose_child(stream(generation, i));
      members = population_members();
      std::ranges::copy(archive_.evaluate(), std::back_inserter(members));
      select(members, survive, generation);
    }
  }

 private:
  [[nodiscard]] core::Rng stream(std::int64_t generation, std::int64_t child) const {
    return core::Rng::stream(
        seed_, core::Purpose::kSearch,
        {static_cast<std::uint64_t>(generation), static_cast<std::uint64_t>(child)});
  }

  void propose_first(std::span<const space::Arch> seeds) {
    const std::int64_t wanted = std::min<std::int64_t>(archive_.room(), config_.population_size);
    const auto full = [&] { return static_cast<std::int64_t>(archive_.batch_size()) >= wanted; };
    for (std::size_t i = 0; i < seeds.size() && !full(); ++i) archive_.propose(seeds[i]);
    for (std::int64_t i = 0; !full() && i < 20 * wanted; ++i) {
      core::Rng rng = stream(0, i);
      archive_.propose(i % 2 == 0 ? space::sample(space_, rng) : space::sample_spread(space_, rng));
    }
  }

  /// The better of two drawn at random.
  const space::Arch& draw_parent(core::Rng& rng) const {
    const detail::Standing& a = population_[rng.below(population_.size())];
    const detail::Standing& b = population_[rng.below(population_.size())];
    const bool second = b.rank != a.rank ? b.rank < a.rank : b.spread > a.spread;
    return archive_[second ? b.member : a.member].arch;
  }

  void propose_child(core::Rng rng) {
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      space::Arch child = draw_parent(rng);
      // Parents that have become alike have no new children by crossover.
      if (rng.bernoulli(config_.crossover_prob) && attempt < kMaxAttempts / 2) {
        child = space::crossover(space_, child, draw_parent(rng), rng);
      }
      child = space::mutate(space_, child, mutation_prob(), rng).value_or(child);
      if (archive_.propose(child)) return;
    }
    archive_.propose_neighbour();
  }

  [[nodiscard]] double mutation_prob() const {
    if (config_.mutation_prob > 0.0) return config_.mutation_prob;
    return 1.0 / static_cast<double>(std::max<std::size_t>(space_.genes().size(), 1));
  }

  [[nodiscard]] std::vector<std::size_t> population_members() const {
    std::vector<std::size_t> members;
    for (const detail::Standing& standing : population_) members.push_back(standing.member);
    return members;
  }

  /// Keeps the survivors of `members`, archive indices.
  void select(std::vector<std::size_t> members, const Survive& survive, int generation) {
    // By age, so that ties never depend on where a member stood before; the feasible ones first.
    std::ranges::sort(members);
    const auto infeasible =
        std::stable_partition(members.begin(), members.end(),
                              [&](std::size_t member) { return archive_[member].score.feasible; });
    detail::Candidates candidates{
        MetricTable(static_cast<std::size_t>(infeasible - members.begin()), num_coordinates()), {}};
    for (std::size_t i = 0; i < candidates.points.rows(); ++i) {
      const Evaluated& evaluated = archive_[members[i]];
      std::ranges::copy(scorer_.num_objectives() > 1 ? evaluated.score.objectives
                                                     : scorer_.trade_off(evaluated.values),
                        candidates.points.row(i).begin());
    }
    for (auto it = infeasible; it != members.end(); ++it) {
      candidates.violation.push_back(archive_[*it].score.violation);
    }
    population_ = survive(candidates, stream(generation, -1));
    for (detail::Standing& standing : population_) standing.member = members[standing.member];
    archive_.record(population_members());
  }

  const NsgaConfig& config_;
  const space::SearchSpace& space_;
  detail::Archive& archive_;
  const Scorer& scorer_;
  std::uint64_t seed_;
  std::vector<detail::Standing> population_;
};

}  // namespace

void NsgaConfig::fields(core::Fields& f) {
  f.integer("population_size", population_size, detail::kPopulationRange,
            "subnets kept, and new ones per generation");
  f.integer("generations", generations, detail::kGenerationsRange, "after the initial population");
  f.real("crossover_prob", crossover_prob, detail::kShareRange,
         "chance that a child has two parents");
  f.real("mutation_prob", mutation_prob, detail::kShareRange,
         "chance that a gene of a child changes; 0 = one over the number of genes");
  f.integer("max_evaluations", max_evaluations, detail::kEvaluationsRange,
            "distinct subnets scored");
}

SearchTrace run_nsga2(const Nsga2Config& config, const space::SearchSpace& space,
                      Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                      core::ProgressSink& progress, std::span<const space::Arch> seeds) {
  check(config, space, seeds);
  detail::Archive archive(space, evaluator, problem, config.max_evaluations, progress);
  const Scorer scorer(problem, evaluator.metrics());
  const auto keep = static_cast<std::size_t>(config.population_size);
  Generations(config, space, archive, scorer, seed)
      .run(seeds, [&](const detail::Candidates& candidates, core::Rng) {
        return detail::survive_by_crowding(candidates, keep);
      });
  return archive.finish();
}

SearchTrace run_nsga3(const Nsga3Config& config, const space::SearchSpace& space,
                      Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                      core::ProgressSink& progress, std::span<const space::Arch> seeds) {
  check(config, space, seeds);
  detail::Archive archive(space, evaluator, problem, config.max_evaluations, progress);
  const Scorer scorer(problem, evaluator.metrics());
  const auto keep = static_cast<std::size_t>(config.population_size);
  Generations generations(config, space, archive, scorer, seed);
  detail::DirectionSurvival survival(generations.num_coordinates(), keep);
  generations.run(seeds, [&](const detail::Candidates& candidates, core::Rng rng) {
    return survival.survive(candidates, keep, rng);
  });
  return archive.finish();
}

}  // namespace omnifit::search
