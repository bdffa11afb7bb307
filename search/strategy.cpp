#include "search/strategy.hpp"

#include "space/plan.hpp"

namespace omnifit::search {
namespace {

// One overload a strategy: what a new alternative needs.
const std::string& name_of(const EvolutionConfig&) {
  static const std::string kName = "evolution";
  return kName;
}
const std::string& name_of(const Nsga2Config&) {
  static const std::string kName = "nsga2";
  return kName;
}
const std::string& name_of(const Nsga3Config&) {
  static const std::string kName = "nsga3";
  return kName;
}
const std::string& name_of(const RandomConfig&) {
  static const std::string kName = "random";
  return kName;
}
const std::string& name_of(const ReferenceConfig&) {
  static const std::string kName = "reference";
  return kName;
}
const std::string& name_of(const LocalSearchConfig&) {
  static const std::string kName = "local_search";
  return kName;
}
const std::string& name_of(const ExhaustiveConfig&) {
  static const std::string kName = "exhaustive";
  return kName;
}

}  // namespace

const std::string& strategy_name(const StrategyConfig& config) {
  return std::visit([](const auto& one) -> const std::string& { return name_of(one); }, config);
}

SearchTrace run_search(const StrategyConfig& config, const space::SearchSpace& space,
                       Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                       core::ProgressSink& progress, std::span<const space::Arch> seeds) {
  return std::visit(
      space::Overloaded{
          [&](const EvolutionConfig& one) {
            return run_evolution(one, space, evaluator, problem, seed, progress, seeds);
          },
          [&](const Nsga2Config& one) {
            return run_nsga2(one, space, evaluator, problem, seed, progress, seeds);
          },
          [&](const Nsga3Config& one) {
            return run_nsga3(one, space, evaluator, problem, seed, progress, seeds);
          },
          [&](const ReferenceConfig& one) {
            return run_reference_evolution(one, space, evaluator, problem, seed, progress, seeds);
          },
          [&](const LocalSearchConfig& one) {
            return run_local_search(one, space, evaluator, problem, seed, progress, seeds);
          },
          [&](const ExhaustiveConfig& one) {
            return run_exhaustive(one, space, evaluator, problem, progress);
          },
          [&](const RandomConfig& one) {
            return run_random_search(one, space, evaluator, problem, seed, progress);
          }},
      config);
}

}  // namespace omnifit::search
