#pragma once

#include "core/fields.hpp"
#include "core/progress.hpp"
#include "search/evaluator.hpp"
#include "search/problem.hpp"
#include "search/trace.hpp"
#include "space/search_space.hpp"

#include <cstdint>

namespace omnifit::search {

/// Every arch of a small space: the truth that other strategies are measured against.
struct ExhaustiveConfig {
  std::int64_t max_archs = 2'000'000;  ///< a larger space is refused, ≥ 1
  int batch_size = 4096;               ///< archs per call of the evaluator, ≥ 1

  void fields(core::Fields& f);
};

/// Evaluates every arch in lexicographic order.
/// @throws ConfigError from Scorer, and if the space has more archs than `max_archs` (with their
/// number); std::invalid_argument if a field is out of range; Interrupted.
SearchTrace run_exhaustive(const ExhaustiveConfig& config, const space::SearchSpace& space,
                           Evaluator& evaluator, const Problem& problem,
                           core::ProgressSink& progress);

}  // namespace omnifit::search
