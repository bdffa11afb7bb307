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

/// What both multi-objective evolutions share.
struct NsgaConfig {
  int population_size = 100;    ///< archs kept, and new archs per generation; ≥ 2
  int generations = 200;        ///< after the initial population, ≥ 0
  double crossover_prob = 0.9;  ///< chance that a child has two parents, in [0, 1]
  double mutation_prob = 0.0;   ///< per active gene of a child, in [0, 1]; 0: one over their number
  std::int64_t max_evaluations = 20'000;  ///< distinct archs scored, ≥ 1

  void fields(core::Fields& f);
};

/// NSGA-II (Deb et al., 2002): two or three objectives. Of the front that does not fit whole, the
/// least crowded survive.
struct Nsga2Config : NsgaConfig {};

/// NSGA-III (Deb and Jain, 2014): three and more objectives. Of the front that does not fit whole,
/// those survive that lie nearest to evenly spread reference directions. The objectives are
/// normalised between the best values ever seen and the worst on the first front.
struct Nsga3Config : NsgaConfig {};

/// Both search for the whole trade-off: SearchTrace::front. Coordinates are the problem's
/// objectives; with a single objective Scorer::trade_off, so that the front leads from the best
/// subnet to the cheapest. Feasible beats infeasible and less violation beats more (Deb's rules);
/// parents are drawn by tournaments of two; children come by uniform crossover and mutation of
/// genes, and those that were seen before are replaced. `seeds` join the initial population, half
/// of the rest of which is drawn uniformly and half spread over all sizes (space::sample_spread).
///
/// Deterministic in `seed`, for any number of threads of the evaluator. Stops early when the space
/// is exhausted. Asks for interruption between generations.
/// @throws ConfigError from Scorer; std::invalid_argument if a field is out of range or a seed is
/// of another space; Interrupted.
SearchTrace run_nsga2(const Nsga2Config& config, const space::SearchSpace& space,
                      Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                      core::ProgressSink& progress, std::span<const space::Arch> seeds = {});
SearchTrace run_nsga3(const Nsga3Config& config, const space::SearchSpace& space,
                      Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                      core::ProgressSink& progress, std::span<const space::Arch> seeds = {});

}  // namespace omnifit::search
