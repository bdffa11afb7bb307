#include "pipeline/search_config.hpp"

#include "core/error.hpp"
#include "core/node.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace omnifit::pipeline {
namespace {

std::vector<std::string> metric_names() {
  std::vector<std::string> names{"top1"};
  for (const Cost cost : all_costs()) names.push_back(cost_metric(cost));
  return names;
}

/// Active search measures: as a comparison it would cost more than the search.
std::vector<std::string> baseline_names() {
  std::vector<std::string> names;
  for (const auto& [strategy, name] : strategies()) {
    if (strategy != Strategy::kActive) names.push_back(name);
  }
  return names;
}

std::string suggestion(const std::string& name, const std::vector<std::string>& allowed) {
  const std::string guess = core::did_you_mean(name, allowed);
  return guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess);
}

void check_objectives(core::Fields& f, const std::vector<std::string>& objectives) {
  if (objectives.empty()) f.error("objectives", "needs at least one metric");
  for (const std::string& name : objectives) {
    try {
      parse_metric(name);
    } catch (const ConfigError& problem) {
      f.error("objectives", problem.what());
    }
  }
}

void check_names(core::Fields& f, const std::vector<BudgetConfig>& budgets) {
  std::set<std::string> slugs;
  std::set<std::string> texts;
  for (const BudgetConfig& budget : budgets) {
    if (!slugs.insert(budget.slug()).second || !texts.insert(budget.text()).second) {
      f.error("budgets", fmt::format("two budgets are called '{}'; names and bounds must differ",
                                     budget.slug()));
    }
  }
}

/// What an active search gains by an arch is a volume in as many dimensions; from here on each more
/// makes that several times slower, until no batch comes to an end.
constexpr std::size_t kMaxActiveQuantities = 8;

/// The objectives of the one search for all budgets: those of the job and what the budgets limit.
void check_active(core::Fields& f, const SearchConfig& config) {
  std::set<std::string> metrics;
  try {
    for (const std::string& name : config.objectives) metrics.insert(parse_metric(name).metric());
    for (const BudgetConfig& budget : config.all_budgets()) {
      for (const Bound& bound : budget.bounds()) metrics.insert(bound.quantity.metric());
    }
  } catch (const ConfigError&) {
    return;  // told where it stands
  }
  if (metrics.size() <= kMaxActiveQuantities) return;
  f.error(config.fleet ? "fleet" : "budgets",
          fmt::format("strategy active is one search for all budgets and trades at most {} "
                      "quantities against each other; objectives and budgets name {} ({}): take "
                      "fewer devices or quantities, or another strategy, which searches every "
                      "budget for itself",
                      kMaxActiveQuantities, metrics.size(), fmt::join(metrics, ", ")));
}

}  // namespace

const core::EnumTable<Strategy>& strategies() {
  static const core::EnumTable<Strategy> kTable{{Strategy::kEvolution, "evolution"},
                                                {Strategy::kReference, "reference"},
                                                {Strategy::kLocalSearch, "local_search"},
                                                {Strategy::kNsga2, "nsga2"},
                                                {Strategy::kNsga3, "nsga3"},
                                                {Strategy::kActive, "active"},
                                                {Strategy::kRandom, "random"},
                                                {Strategy::kExhaustive, "exhaustive"}};
  return kTable;
}

Quantity parse_metric(const std::string& name) {
  const auto at = name.find('@');
  const std::string metric = name.substr(0, at);
  const std::string device = at == std::string::npos ? "" : name.substr(at + 1);
  if (metric == "top1" && at == std::string::npos) return {};
  if (metric == kTableKey && !device.empty()) return {std::nullopt, {}, device};
  for (const Cost cost : all_costs()) {
    if (metric != cost_metric(cost)) continue;
    if (at == std::string::npos) return {cost, {}, {}};
    if (cost == Cost::kLatency && !device.empty()) return {cost, device, {}};
  }
  throw ConfigError(
      fmt::format("must be one of {}, or {}@DEVICE, or {}@METRIC in a tabular space, got '{}'{}",
                  fmt::join(metric_names(), ", "), cost_metric(Cost::kLatency), kTableKey, name,
                  suggestion(name, metric_names())));
}

void FleetConfig::fields(core::Fields& f) {
  f.texts("devices", devices, "devices by name, each with a latency table in the project file");
  f.texts("latency", latency, "upper bounds on each of them: '12 ms' or '40%'");
  if (!f.reading()) return;
  if (devices.empty()) f.error("devices", "needs at least one device");
  if (latency.empty()) f.error("latency", "needs at least one bound");
  for (const std::string& text : latency) {
    try {
      parse_bound(Cost::kLatency, text);
    } catch (const ConfigError& problem) {
      f.error("latency", problem.what());
    }
  }
}

SearchConfig::SearchConfig() {
  for (const char* bound : {"25%", "50%", "75%"}) budgets.emplace_back().latency = bound;
  budgets.emplace_back().macs = "40%";
  // A job's own predictor is slower than a network, and errs by more than further subnets gain.
  evolution.max_evaluations = 10'000;
}

void SearchConfig::fields(core::Fields& f) {
  f.texts("objectives", objectives,
          fmt::format("metrics to optimise ({}; {}@DEVICE); the first ranks the candidates",
                      fmt::join(metric_names(), ", "), cost_metric(Cost::kLatency)));
  check_objectives(f, objectives);
  // Who asks for a fleet and names no budgets wants the fleet alone.
  if (f.reading() && f.has("fleet") && !f.has("budgets")) budgets.clear();
  f.sections("budgets", budgets, "one search each; bounds that a network must keep all at once");
  f.optional_section("fleet", fleet, "a budget for every device and bound");
  if (f.reading() && budgets.empty() && !fleet) f.error("budgets", "needs at least one budget");
  check_names(f, all_budgets());
  f.choice("strategy", strategy, strategies(),
           "how to search; active measures accuracies itself and needs neither collect nor fit");
  if (f.reading() && is_active()) check_active(f, *this);
  // Beside a search that measures, every baseline costs as many measurements again.
  if (f.reading() && is_active() && !f.has("baselines")) baselines.clear();
  f.texts("baselines", baselines,
          "strategies that search beside it with as many evaluations, for comparison");
  const std::vector<std::string> known = baseline_names();
  for (const std::string& name : baselines) {
    if (std::ranges::find(known, name) != known.end()) continue;
    f.error("baselines", fmt::format("must be one of {}, got '{}'{}", fmt::join(known, ", "), name,
                                     suggestion(name, known)));
  }
  const auto settings = [&](Strategy which, auto& config, const char* doc) {
    if (f.reading() || f.explaining() || uses(which)) {
      f.section(core::enum_name(strategies(), which), config, doc);
    }
  };
  settings(Strategy::kEvolution, evolution, "settings of the evolutionary search");
  settings(Strategy::kReference, reference, "settings of the reference's own evolution");
  settings(Strategy::kLocalSearch, local_search, "settings of the local search");
  settings(Strategy::kNsga2, nsga2, "settings of NSGA-II, for two or three objectives");
  settings(Strategy::kNsga3, nsga3, "settings of NSGA-III, for three and more objectives");
  settings(Strategy::kActive, active,
           "settings of active search: one search for all budgets that measures accuracies");
  settings(Strategy::kRandom, random, "settings of the random search");
  settings(Strategy::kExhaustive, exhaustive, "settings of the search of every subnet");
  f.integer("candidates", candidates, {1, 10'000},
            "best networks kept per budget, for verify to walk down");
  f.integer("refinements", refinements, {0, 20},
            "rounds before the search proper: measure the best networks, fit the predictor again; "
            "none where no predictor is asked");
  f.integer("refine_subnets", refine_subnets, {1, 10'000},
            "networks measured per budget and round, on the validation images");
}

const std::string& SearchConfig::strategy_name() const {
  return core::enum_name(strategies(), strategy);
}

bool SearchConfig::uses(Strategy which) const {
  return strategy == which ||
         std::ranges::find(baselines, core::enum_name(strategies(), which)) != baselines.end();
}

search::StrategyConfig SearchConfig::config_of(Strategy which) const {
  switch (which) {
    case Strategy::kEvolution:
      return evolution;
    case Strategy::kReference:
      return reference;
    case Strategy::kLocalSearch:
      return local_search;
    case Strategy::kNsga2:
      return nsga2;
    case Strategy::kNsga3:
      return nsga3;
    case Strategy::kRandom:
      return random;
    case Strategy::kExhaustive:
      return exhaustive;
    case Strategy::kActive:
      break;  // works with more than an evaluator
  }
  OMNIFIT_CHECK(false, "strategy {} has no settings of this kind", static_cast<int>(which));
}

std::vector<search::StrategyConfig> SearchConfig::baseline_configs(
    std::int64_t max_evaluations) const {
  std::vector<search::StrategyConfig> configs;
  for (const auto& [which, name] : strategies()) {
    if (which == strategy || std::ranges::find(baselines, name) == baselines.end()) continue;
    configs.push_back(config_of(which));
    std::visit(
        [&](auto& config) {
          if constexpr (requires { config.max_evaluations; }) {
            config.max_evaluations = max_evaluations;
          }
        },
        configs.back());
  }
  return configs;
}

std::vector<BudgetConfig> SearchConfig::all_budgets() const {
  std::vector<BudgetConfig> all = budgets;
  if (!fleet) return all;
  for (const std::string& device : fleet->devices) {
    for (const std::string& bound : fleet->latency) {
      all.emplace_back().more = {
          fmt::format("{}@{} <= {}", cost_key(Cost::kLatency), device, bound)};
    }
  }
  return all;
}

std::vector<Quantity> SearchConfig::quantities(bool with_latency) const {
  std::vector<Quantity> result{{}};
  if (with_latency) result.push_back({Cost::kLatency, {}, {}});
  const auto add = [&](const Quantity& quantity) {
    if (std::ranges::find(result, quantity) == result.end()) result.push_back(quantity);
  };
  for (const std::string& name : objectives) add(parse_metric(name));
  for (const BudgetConfig& budget : all_budgets()) {
    for (const Bound& bound : budget.bounds()) add(bound.quantity);
  }
  return result;
}

}  // namespace omnifit::pipeline
