#pragma once

#include "core/fields.hpp"
#include "core/progress.hpp"
#include "search/evaluator.hpp"
#include "search/problem.hpp"
#include "search/trace.hpp"
#include "space/search_space.hpp"

#include <cstdint>

namespace omnifit::search {

/// The baseline every strategy has to beat.
struct RandomConfig {
  std::int64_t max_evaluations = 10'000;  ///< distinct archs scored, feasible or not; ≥ 1
  int batch_size = 100;  ///< archs per call of the evaluator and per record of the trace, ≥ 1

  void fields(core::Fields& f);
};

/// Draws distinct archs (space::sample) and scores them, feasible or not, until the budget is used
/// or the space is exhausted. Deterministic in `seed`.
/// @throws ConfigError from Scorer; std::invalid_argument if a field is out of range; Interrupted.
SearchTrace run_random_search(const RandomConfig& config, const space::SearchSpace& space,
                              Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                              core::ProgressSink& progress);

}  // namespace omnifit::search
