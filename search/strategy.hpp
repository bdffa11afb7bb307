#pragma once

#include "search/evolution.hpp"
#include "search/exhaustive.hpp"
#include "search/local_search.hpp"
#include "search/nsga.hpp"
#include "search/random_search.hpp"
#include "search/reference_evolution.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <variant>

namespace omnifit::search {

/// The closed set of strategies: a new one is one more alternative, and every place that must know
/// it fails to compile.
using StrategyConfig = std::variant<EvolutionConfig, Nsga2Config, Nsga3Config, RandomConfig,
                                    ReferenceConfig, LocalSearchConfig, ExhaustiveConfig>;

/// "evolution", "nsga2", "nsga3", "random", "reference", "local_search",
/// "exhaustive": the name in the project file.
const std::string& strategy_name(const StrategyConfig& config);

/// Runs the strategy of `config`. `seeds`: see run_evolution; random search draws without them.
SearchTrace run_search(const StrategyConfig& config, const space::SearchSpace& space,
                       Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                       core::ProgressSink& progress, std::span<const space::Arch> seeds = {});

}  // namespace omnifit::search
