#pragma once

#include "core/fields.hpp"
#include "core/progress.hpp"
#include "search/evaluator.hpp"
#include "search/problem.hpp"
#include "search/trace.hpp"
#include "space/search_space.hpp"

#include <cstdint>
#include <span>

namespace omnifit::search {

/// Evolution of Once-for-All (Cai et al., ICLR 2020, appendix), with its known weaknesses removed;
/// see run_evolution.
struct EvolutionConfig {
  int population_size = 100;    ///< archs kept, and new archs per generation; ≥ 2
  int generations = 500;        ///< after the initial population, ≥ 0
  double parent_ratio = 0.25;   ///< best share of the population that has children, in (0, 1]
  double mutation_share = 0.5;  ///< share of children by mutation, the rest by crossover (half of
                                ///< them with one more step), in [0, 1]
  double mutation_prob = 0.1;   ///< per active gene of a mutant, in [0, 1]; at least one changes
  std::int64_t max_evaluations = 10'000;  ///< distinct archs scored, ≥ 1

  void fields(core::Fields& f);
};

/// Elitist evolution. One objective: feasible beats infeasible, less violation beats more, then the
/// objective. Several: the same, with non-dominated rank and crowding distance in place of the
/// objective.
///
/// Differences from the reference: archs are canonical and evaluated once; nothing loops until
/// feasible (infeasible archs are ranked by how much they violate); every child counts, also the
/// last ones; parents are drawn by tournaments of two; all archs ever scored compete for the
/// result. `seeds` join the initial population
/// first, e.g. the cheapest arch under each bound: then a feasible arch is found whenever one
/// exists under a single bound, and crossover leads from there.
///
/// Deterministic in `seed`; the result does not depend on how many threads the evaluator uses.
/// Stops early when the space is exhausted. Asks for interruption between generations.
/// @throws ConfigError from Scorer; std::invalid_argument if a field is out of range or a seed is
/// of another space; Interrupted.
SearchTrace run_evolution(const EvolutionConfig& config, const space::SearchSpace& space,
                          Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                          core::ProgressSink& progress, std::span<const space::Arch> seeds = {});

}  // namespace omnifit::search
