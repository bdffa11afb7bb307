#include "search/reference_evolution.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/rng.hpp"
#include "search/detail/archive.hpp"
#include "search/detail/config_check.hpp"
#include "search/detail/genetics.hpp"
#include "search/detail/ledger.hpp"
#include "search/detail/screen.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace omnifit::search {
namespace {

/// Draws for one child; the reference would go on for ever.
constexpr int kMaxDraws = 10'000;

/// A genotype as the reference keeps it: genes without effect have values too.
struct Individual {
  detail::Choices genes{};
  double fitness = -std::numeric_limits<double>::infinity();
};

class ReferenceEvolution {
 public:
  ReferenceEvolution(const ReferenceConfig& config, const space::SearchSpace& space,
                     const Problem& problem, const Evaluator& evaluator, detail::Archive& archive,
                     std::uint64_t seed, std::span<const space::Arch> seeds)
      : config_(config),
        genetics_(space),
        screen_(space, problem, evaluator),
        archive_(archive),
        ledger_(archive, genetics_, std::numeric_limits<int>::max() - 1),
        rng_(core::Rng::stream(seed, core::Purpose::kSearch)),
        seeds_(seeds) {
    group_genes(space);
  }

  void run() {
    std::vector<Individual> population = initial();
    score(population);
    const auto num_parents = std::max<std::size_t>(
        1, static_cast<std::size_t>(config_.parent_ratio * config_.population_size));
    for (int generation = 0; generation < config_.generations; ++generation) {
      core::check_interrupt();
      // Ascending and reversed: of equals the later one comes first.
      std::ranges::reverse(population);
      std::ranges::stable_sort(population, [](const Individual& a, const Individual& b) {
        return a.fitness > b.fitness;
      });
      population.resize(std::min(population.size(), num_parents));
      const std::vector<Individual> parents = population;
      breed(parents, population);
      score(population);
    }
  }

 private:
  /// Genes that a mutation draws together: those of a block; all others stand alone.
  struct Group {
    std::vector<std::size_t> genes;
    double prob = 0.0;
  };

  void group_genes(const space::SearchSpace& space) {
    for (std::size_t g = 0; g < space.genes().size(); ++g) {
      const space::Gene& gene = space.genes()[g];
      const bool joins = g > 0 && gene.block >= 0 && space.genes()[g - 1].block == gene.block &&
                         space.genes()[g - 1].stage == gene.stage;
      if (!joins) {
        groups_.push_back({{},
                           gene.axis == space::Axis::kResolution ? config_.resolution_prob
                                                                 : config_.mutation_prob});
      }
      groups_.back().genes.push_back(g);
    }
  }

  [[nodiscard]] bool admits(const detail::Choices& genes) const {
    detail::Choices canonical = genes;
    genetics_.canonicalise(canonical);
    return screen_.admits(canonical);
  }

  void draw(std::size_t gene, detail::Choices& genes) {
    genes[gene] = static_cast<std::uint8_t>(rng_.below(genetics_.num_choices(gene)));
  }

  std::vector<Individual> initial() {
    std::vector<Individual> population(static_cast<std::size_t>(config_.population_size));
    for (std::size_t i = 0; i < population.size(); ++i) {
      detail::Choices& genes = population[i].genes;
      bool found = false;
      for (int attempt = 0; attempt < kMaxDraws && !found; ++attempt) {
        for (std::size_t g = 0; g < genetics_.num_genes(); ++g) draw(g, genes);
        found = admits(genes);
      }
      if (!found && !seeds_.empty()) genes = genetics_.choices(seeds_[i % seeds_.size()]);
    }
    return population;
  }

  void breed(const std::vector<Individual>& parents, std::vector<Individual>& population) {
    const auto mutants =
        static_cast<int>(config_.mutation_ratio * static_cast<double>(config_.population_size));
    for (int i = 0; i < config_.population_size; ++i) {
      Individual& child = population.emplace_back();
      child.genes = i < mutants ? mutated(parents) : crossed(parents);
    }
  }

  detail::Choices mutated(const std::vector<Individual>& parents) {
    const detail::Choices& parent = parents[rng_.below(parents.size())].genes;
    for (int attempt = 0; attempt < kMaxDraws; ++attempt) {
      detail::Choices child = parent;
      for (const Group& group : groups_) {
        if (!rng_.bernoulli(group.prob)) continue;
        for (const std::size_t gene : group.genes) draw(gene, child);
      }
      if (admits(child)) return child;
    }
    return parent;
  }

  detail::Choices crossed(const std::vector<Individual>& parents) {
    const detail::Choices& mother = parents[rng_.below(parents.size())].genes;
    const detail::Choices& father = parents[rng_.below(parents.size())].genes;
    for (int attempt = 0; attempt < kMaxDraws; ++attempt) {
      detail::Choices child{};
      std::uint64_t coins = rng_.next();
      for (std::size_t g = 0; g < genetics_.num_genes(); ++g, coins >>= 1U) {
        child[g] = (coins & 1U) != 0 ? mother[g] : father[g];
      }
      if (admits(child)) return child;
    }
    return mother;
  }

  /// Evaluates what is new in one batch.
  void score(std::vector<Individual>& population) {
    std::vector<std::size_t> rows;
    rows.reserve(population.size());
    for (const Individual& one : population) {
      detail::Choices canonical = one.genes;
      genetics_.canonicalise(canonical);
      rows.push_back(archive_.propose(canonical).first);
    }
    ledger_.evaluate();
    for (std::size_t i = 0; i < population.size(); ++i) {
      population[i].fitness = ledger_.fitness(rows[i]);
    }
    archive_.record(rows);
  }

  const ReferenceConfig& config_;
  detail::Genetics genetics_;
  detail::Screen screen_;
  detail::Archive& archive_;
  detail::Ledger ledger_;
  core::Rng rng_;
  std::span<const space::Arch> seeds_;
  std::vector<Group> groups_;
};

void check(const ReferenceConfig& config, const space::SearchSpace& space, const Problem& problem,
           std::span<const space::Arch> seeds) {
  detail::require_in("population_size", config.population_size, detail::kPopulationRange);
  detail::require_in("generations", config.generations, detail::kGenerationsRange);
  detail::require_in("parent_ratio", config.parent_ratio, detail::kParentRatioRange);
  detail::require_in("mutation_ratio", config.mutation_ratio, detail::kShareRange);
  detail::require_in("mutation_prob", config.mutation_prob, detail::kShareRange);
  detail::require_in("resolution_prob", config.resolution_prob, detail::kShareRange);
  detail::require_of_space(seeds, space);
  if (problem.objectives.size() > 1) {
    throw ConfigError(
        fmt::format("search: the reference's evolution has one objective, not {}; use nsga2 for "
                    "several",
                    problem.objectives.size()));
  }
}

}  // namespace

void ReferenceConfig::fields(core::Fields& f) {
  f.integer("population_size", population_size, detail::kPopulationRange,
            "new subnets per generation");
  f.integer("generations", generations, detail::kGenerationsRange, "after the initial population");
  f.real("parent_ratio", parent_ratio, detail::kParentRatioRange,
         "best share of the population that has children and lives on");
  f.real("mutation_ratio", mutation_ratio, detail::kShareRange,
         "share of children by mutation, the rest by crossover");
  f.real("mutation_prob", mutation_prob, detail::kShareRange,
         "chance that a block or a depth is drawn anew");
  f.real("resolution_prob", resolution_prob, detail::kShareRange,
         "chance that the resolution is drawn anew");
}

SearchTrace run_reference_evolution(const ReferenceConfig& config, const space::SearchSpace& space,
                                    Evaluator& evaluator, const Problem& problem,
                                    std::uint64_t seed, core::ProgressSink& progress,
                                    std::span<const space::Arch> seeds) {
  check(config, space, problem, seeds);
  const std::int64_t most = (static_cast<std::int64_t>(config.generations) + 1) *
                            static_cast<std::int64_t>(config.population_size);
  detail::Archive archive(space, evaluator, problem, most, progress);
  ReferenceEvolution(config, space, problem, evaluator, archive, seed, seeds).run();
  return archive.finish();
}

}  // namespace omnifit::search
