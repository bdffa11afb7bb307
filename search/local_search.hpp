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

/// Local search from random archs, one climb after another.
struct LocalSearchConfig {
  std::int64_t max_evaluations = 10'000;  ///< distinct archs scored, ≥ 1

  void fields(core::Fields& f);
};

/// Climbs from `seeds` and then from random archs within the additive bounds, near the upper
/// limits. A step evaluates all archs that differ in one gene, then what the differences promise
/// most: with an additive upper bound the exact best archs of the linear model they make, otherwise
/// pairs of changes (2-opt); the best of all is the next arch, until nothing is better.
///
/// One objective: the first one counts. Deterministic in `seed`, for any number of threads of the
/// evaluator. Stops early when the space, or what lies within the additive bounds, is exhausted.
/// @throws ConfigError from Scorer; std::invalid_argument if a field is out of range or a seed is
/// of another space; Interrupted.
SearchTrace run_local_search(const LocalSearchConfig& config, const space::SearchSpace& space,
                             Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                             core::ProgressSink& progress, std::span<const space::Arch> seeds = {});

}  // namespace omnifit::search
