#pragma once

#include "core/fields.hpp"
#include "pipeline/budget.hpp"
#include "search/active.hpp"
#include "search/strategy.hpp"

#include <optional>
#include <string>
#include <vector>

namespace omnifit::pipeline {

/// The strategies a job can name; each has a section of its name with its settings.
enum class Strategy {
  kEvolution,
  kReference,
  kLocalSearch,
  kNsga2,
  kNsga3,
  kActive,
  kRandom,
  kExhaustive
};
/// Names are those of search::strategy_name.
const core::EnumTable<Strategy>& strategies();

/// The `search.fleet` section: a budget for every device and bound.
struct FleetConfig {
  std::vector<std::string> devices;
  std::vector<std::string> latency{"25%", "50%", "75%"};
  void fields(core::Fields& f);
  friend bool operator==(const FleetConfig&, const FleetConfig&) = default;
};

/// The `search` section.
struct SearchConfig {
  std::vector<std::string> objectives{
      "top1"};  ///< metrics to optimise, the first one ranks the candidates
  std::vector<BudgetConfig> budgets;
  std::optional<FleetConfig> fleet;  ///< more budgets, after the others
  Strategy strategy = Strategy::kEvolution;
  search::EvolutionConfig evolution;
  search::ReferenceConfig reference;
  search::LocalSearchConfig local_search;
  search::Nsga2Config nsga2;
  search::Nsga3Config nsga3;
  search::ActiveConfig active;
  search::RandomConfig random;
  search::ExhaustiveConfig exhaustive;
  /// Strategies run beside, for comparison; none by default where the search measures.
  std::vector<std::string> baselines{"random"};
  int candidates = 20;  ///< down the front, for verify to walk
  /// Rounds of measuring the best candidates and fitting again, 0 to 20; none where no predictor is
  /// asked.
  int refinements = 3;
  int refine_subnets = 8;  ///< measured per budget and round
  SearchConfig();
  void fields(core::Fields& f);

  /// Whether the search measures the accuracies it looks at, one search for all budgets.
  [[nodiscard]] bool is_active() const { return strategy == Strategy::kActive; }
  /// Of the strategy, as the project file has it.
  [[nodiscard]] const std::string& strategy_name() const;
  /// What searches: the settings of `strategy`. @pre it is not active
  [[nodiscard]] search::StrategyConfig strategy_config() const { return config_of(strategy); }
  /// Whether every subnet is looked at, by the strategy or for comparison.
  [[nodiscard]] bool is_exhaustive() const { return uses(Strategy::kExhaustive); }
  /// The baselines, each with as many evaluations as the search itself has had at most; those
  /// without such a limit run as they are.
  [[nodiscard]] std::vector<search::StrategyConfig> baseline_configs(
      std::int64_t max_evaluations) const;
  /// `budgets` and those of the fleet: one search each.
  [[nodiscard]] std::vector<BudgetConfig> all_budgets() const;
  /// The metrics a search needs, each once: top-1, then (if it is known) the latency on the job's
  /// device, then what objectives and budgets name. @pre fields() accepted them
  [[nodiscard]] std::vector<Quantity> quantities(bool with_latency) const;

 private:
  [[nodiscard]] search::StrategyConfig config_of(Strategy which) const;
  [[nodiscard]] bool uses(Strategy which) const;
};

/// A metric by its name: "top1", "macs", "latency_ms@note10", "table@energy_mj". @throws
/// ConfigError (without location) listing the names.
Quantity parse_metric(const std::string& name);

}  // namespace omnifit::pipeline
