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

/// Evolution after Once-for-All (Cai et al., ICLR 2020), with its known weaknesses removed and
/// local search added; see run_evolution. ReferenceConfig is the original.
struct EvolutionConfig {
  int population_size = 128;    ///< archs kept, and new archs per generation; ≥ 2
  int generations = 100'000;    ///< after the initial population, steps of local search too; ≥ 0
  double parent_ratio = 0.5;    ///< best share of the population that has children, in (0, 1]
  double mutation_share = 0.3;  ///< share of children by mutation, the rest by crossover (half of
                                ///< them with one more mutation), in [0, 1]
  double mutation_prob = 0.0;  ///< per active gene of a mutant, in [0, 1]; at least one changes. 0:
                               ///< so many genes, 1 to 8, as are drawn for each mutant
  int candidates = 8;          ///< children drawn for each one that is evaluated, ≥ 1
  int patience = 10;           ///< generations without a better arch before a fresh start, ≥ 1
  int climbers = 3;            ///< archs that local search climbs from before a fresh start, ≥ 0
  std::int64_t guided_evaluations = 12'000;  ///< at first, by simulated annealing on pair effects:
                                             ///< at most half of all, none if less than a quarter
  std::int64_t max_evaluations = 100'000;    ///< distinct archs scored, ≥ 1

  void fields(core::Fields& f);
};

/// Elitist evolution with fresh starts. One objective: feasible beats infeasible, less violation
/// beats more, then the objective. Several: the same, with non-dominated rank and crowding distance
/// in place of the objective.
///
/// Differences from the reference: archs are canonical and evaluated once; nothing loops until
/// feasible (what is infeasible is ranked by how much it violates); every child counts, also the
/// last ones; parents are drawn from the best of the population; all archs ever scored compete for
/// the result.
///
/// One objective, and all bounds additive: of `candidates` children that are drawn the one is
/// evaluated that promises most by what choices and pairs of choices add (detail::PairModel), which
/// is learnt from the population and from what was evaluated last, in every second generation,
/// while its children are drawn: the next ones are chosen by it.
///
/// In the same case, where evaluations are scarce (a few hundred at least), the first
/// `guided_evaluations` are where walks on that model end (detail::GuidedStage), and the first
/// population is what came best of them: most for an evaluation, but each takes as long as several
/// others of a fast predictor.
///
/// Bounds on additive metrics (Evaluator::additive_metrics) are known beforehand: the initial
/// population lies within them and near the upper limits, a child beyond them is drawn again and at
/// last repaired, and the archs that dynamic programming finds best by the genes' mean effects join
/// every initial population. `seeds` join the first one.
///
/// One objective: when `patience` generations brought nothing, the best `climbers` archs are
/// climbed from (detail::Climber: the exact optimum of a local linear model under the bound), and a
/// fresh population starts. Populations come in fours. The first is free; in the second and the
/// third, except among the first four, every arch has the same choice of the gene on which most
/// costs depend (the resolution: detail::Screen::leading_gene), the second best one and the best
/// one so far; the fourth consists of what those before it found.
///
/// Children, and walks of the guided stage, are drawn on Evaluator::threads() threads.
/// Deterministic in `seed`, for any number of them. Stops early when the space, or what lies within
/// the additive bounds, is exhausted. Asks for interruption between generations.
/// @throws ConfigError from Scorer; std::invalid_argument if a field is out of range or a seed is
/// of another space; Interrupted.
SearchTrace run_evolution(const EvolutionConfig& config, const space::SearchSpace& space,
                          Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                          core::ProgressSink& progress, std::span<const space::Arch> seeds = {});

}  // namespace omnifit::search
