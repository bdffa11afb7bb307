#include "search/strategy.hpp"

#include "space/plan.hpp"

namespace omnifit::search {

const std::string& strategy_name(const StrategyConfig& config) {
  static const std::string kEvolution = "evolution";
  static const std::string kRandom = "random";
  return std::visit(
      space::Overloaded{[](const EvolutionConfig&) -> const std::string& { return kEvolution; },
                        [](const RandomConfig&) -> const std::string& { return kRandom; }},
      config);
}

SearchTrace run_search(const StrategyConfig& config, const space::SearchSpace& space,
                       Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                       core::ProgressSink& progress, std::span<const space::Arch> seeds) {
  return std::visit(space::Overloaded{[&](const EvolutionConfig& evolution) {
                                        return run_evolution(evolution, space, evaluator, problem,
                                                             seed, progress, seeds);
                                      },
                                      [&](const RandomConfig& random) {
                                        return run_random_search(random, space, evaluator, problem,
                                                                 seed, progress);
                                      }},
                    config);
}

}  // namespace omnifit::search
