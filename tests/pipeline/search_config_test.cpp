#include "pipeline/search_config.hpp"
#include "core/node.hpp"
#include "tests/support/catch.hpp"

#include <fmt/format.h>

#include <string>
#include <variant>

namespace omnifit::pipeline {
namespace {

using Catch::Matchers::ContainsSubstring;

SearchConfig read(const std::string& yaml) {
  return core::read_config<SearchConfig>(core::parse_yaml(yaml, "search.yaml"));
}

}  // namespace

TEST_CASE("a fleet is a budget for every device and bound", "[pipeline][unit]") {
  const SearchConfig config = read("fleet: {devices: [note10, pi4], latency: [25%, 12 ms]}");
  CHECK(config.budgets.empty());
  const auto all = config.all_budgets();
  REQUIRE(all.size() == 4);
  CHECK(all[0].text() == "latency@note10 <= 25%");
  CHECK(all[3].text() == "latency@pi4 <= 12 ms");
  CHECK(all[3].slug() == "latency-pi4-12-ms");
  const SearchConfig both =
      read("{budgets: [{macs: 40%}], fleet: {devices: [pi4], latency: [50%]}}");
  CHECK(both.all_budgets().size() == 2);
  // The effective job reads back equal.
  CHECK(read(core::write_config(config)).all_budgets() == all);
  CHECK(read(core::write_config(both)).all_budgets() == both.all_budgets());
}

TEST_CASE("a search needs each metric once", "[pipeline][unit]") {
  const SearchConfig config = read(
      "{objectives: [top1, latency_ms@pi4], budgets: [{latency: 40%, macs: 3 M}, {name: both, "
      "bounds: ['latency@pi4 <= 9 ms', 'macs <= 50%', 'peak_memory <= 64 kB']}]}");
  std::string metrics;
  for (const Quantity& quantity : config.quantities(true)) metrics += quantity.metric() + " ";
  CHECK(metrics == "top1 latency_ms latency_ms@pi4 macs peak_memory_bytes ");
  CHECK(read("budgets: [{macs: 3 M}]").quantities(false).size() == 2);
}

TEST_CASE("strategy and baselines are chosen by name", "[pipeline][unit]") {
  const SearchConfig standard = read("{}");
  CHECK(std::holds_alternative<search::EvolutionConfig>(standard.strategy_config()));
  REQUIRE(standard.baseline_configs(123).size() == 1);
  CHECK(std::get<search::RandomConfig>(standard.baseline_configs(123)[0]).max_evaluations == 123);
  const SearchConfig config =
      read("{strategy: nsga2, nsga2: {population_size: 40}, baselines: [evolution, nsga2]}");
  CHECK(std::get<search::Nsga2Config>(config.strategy_config()).population_size == 40);
  // A strategy is no baseline of itself.
  CHECK(config.baseline_configs(10).size() == 1);
  // The effective job holds the settings of what is used, and of nothing else.
  const std::string effective = core::write_config(config);
  CHECK(effective.find("\nnsga2:") != std::string::npos);
  CHECK(effective.find("\nnsga3:") == std::string::npos);
}

TEST_CASE("an active search trades only so many quantities", "[pipeline][error]") {
  const auto fleet = [](int num_devices, const std::string& strategy) {
    std::string devices;
    for (int i = 0; i < num_devices; ++i) devices += fmt::format("{}d{}", i > 0 ? ", " : "", i);
    return fmt::format("strategy: {}\nfleet:\n  devices: [{}]\n  latency: [25%, 50%]\n", strategy,
                       devices);
  };
  // Top-1 and a latency a device.
  CHECK(read(fleet(7, "active")).all_budgets().size() == 14);
  CHECK(read(fleet(12, "evolution")).all_budgets().size() == 24);
  CHECK_THROWS_WITH(
      read(fleet(12, "active")),
      ContainsSubstring("search.yaml:3:3: fleet: strategy active is one search for all budgets and "
                        "trades at most 8 quantities against each other; objectives and budgets "
                        "name 13 (latency_ms@d0, latency_ms@d1, ") &&
          ContainsSubstring("take fewer devices or quantities, or another strategy"));
  CHECK_THROWS_WITH(
      read("strategy: active\nobjectives: [top1, macs, params, latency_ms@a, latency_ms@b, "
           "latency_ms@c, latency_ms@d, latency_ms@e]\nbudgets: [{peak_memory: 50%}]\n"),
      ContainsSubstring("search.yaml:3:10: budgets: ") &&
          ContainsSubstring("name 9 (latency_ms@a"));
  // What cannot be read is told alone.
  CHECK_THROWS_WITH(read("{strategy: active, objectives: [top5]}"), ContainsSubstring("'top1'"));
}

TEST_CASE("a search section says what is wrong with it", "[pipeline][error]") {
  const auto check = [](const std::string& yaml, const std::string& message) {
    CAPTURE(yaml);
    CHECK_THROWS_WITH(read(yaml),
                      ContainsSubstring("search.yaml:1:") && ContainsSubstring(message));
  };
  check("objectives: [top5]", "did you mean 'top1'");
  check("objectives: ['macs@pi4']", "table@METRIC in a tabular space, got 'macs@pi4'");
  check("objectives: []", "needs at least one metric");
  check("budgets: []", "needs at least one budget");
  check("budgets: [{bounds: ['speed <= 3 ms']}]", "quantities: top1, latency");
  check("fleet: {devices: []}", "needs at least one device");
  check("fleet: {devices: [a], latency: [fast]}", "must be a positive amount");
  check("fleet: {devices: [a, a]}", "two budgets are called");
  check("strategy: nsga4", "did you mean 'nsga");
  check("baselines: [chance]", "must be one of evolution, reference");
}

}  // namespace omnifit::pipeline
