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

/// The evolution that Once-for-All released, with its operators and settings: what every other
/// search is compared with. EvolutionConfig is the one to use.
struct ReferenceConfig {
  int population_size = 100;     ///< parents beside it: 125 in all; ≥ 2
  int generations = 500;         ///< after the initial population, ≥ 0
  double parent_ratio = 0.25;    ///< of the population size, in (0, 1]
  double mutation_ratio = 0.5;   ///< children by mutation, the rest by crossover, in [0, 1]
  double mutation_prob = 0.1;    ///< that a block or a depth is drawn anew, in [0, 1]
  double resolution_prob = 0.1;  ///< the same of the resolution; the later version has 0.5

  void fields(core::Fields& f);
};

/// Runs it. A genotype has a value for every gene, also for those without effect; a mutation draws
/// the genes of a block together and may draw the old value; a crossover takes every gene from
/// either of two parents, which may be the same one; both are repeated until the child keeps the
/// bounds. The best quarter are the parents of the next generation and live on beside their
/// children.
///
/// An arch that comes again is not evaluated again (SearchTrace::archive holds distinct archs).
/// Bounds that are not additive cannot be checked beforehand: an arch beyond them is worse than all
/// others. Where drawing finds nothing within the bounds, the parent or the next of `seeds` stands
/// in, instead of drawing for ever. The children of the last generation count for the result; the
/// reference scores them and forgets them.
///
/// One objective. Deterministic in `seed`, for any number of threads of the evaluator.
/// @throws ConfigError from Scorer, and for several objectives; std::invalid_argument if a field is
/// out of range or a seed is of another space; Interrupted.
SearchTrace run_reference_evolution(const ReferenceConfig& config, const space::SearchSpace& space,
                                    Evaluator& evaluator, const Problem& problem,
                                    std::uint64_t seed, core::ProgressSink& progress,
                                    std::span<const space::Arch> seeds = {});

}  // namespace omnifit::search
