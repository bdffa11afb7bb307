#include "core/error.hpp"
#include "search/strategy.hpp"
#include "space/sampling.hpp"
#include "tests/search/additive_evaluator.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace omnifit::search {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::Additive;
using test::AdditiveEvaluator;

core::NullProgress progress;

double best_top1(const SearchTrace& trace) { return trace.archive[trace.best.value()].values[0]; }

double share_of_range(const AdditiveEvaluator& evaluator, double share) {
  return evaluator.least_ms() + share * (evaluator.most_ms() - evaluator.least_ms());
}

}  // namespace

TEST_CASE("the reference's evolution scores a population a generation and keeps the bounds",
          "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const Problem problem = test::best_within(share_of_range(evaluator, 0.4));
  const ReferenceConfig config{.population_size = 20, .generations = 30};
  const SearchTrace trace = run_reference_evolution(config, space, evaluator, problem, 1, progress);
  REQUIRE(trace.generations.size() == 31);
  CHECK(trace.generations.front().num_evaluations == 20);
  // A child may equal an arch that is known.
  CHECK(trace.archive.size() <= 20 * 31);
  CHECK(trace.archive.size() > 20 * 31 / 5);
  CHECK(trace.num_feasible() == static_cast<std::int64_t>(trace.archive.size()));
  for (std::size_t i = 1; i < trace.generations.size(); ++i) {
    CHECK(*trace.generations[i].best >= *trace.generations[i - 1].best);
  }
  CHECK(*trace.generations.back().best > *trace.generations.front().best);
  const SearchTrace again = run_reference_evolution(config, space, evaluator, problem, 1, progress);
  REQUIRE(again.archive.size() == trace.archive.size());
  CHECK(again.archive.back().arch == trace.archive.back().arch);
  const SearchTrace other = run_reference_evolution(config, space, evaluator, problem, 2, progress);
  CHECK(other.archive.back().arch != trace.archive.back().arch);
}

TEST_CASE("the reference's evolution without mutation and resolution draws only recombines",
          "[search][unit]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const ReferenceConfig config{.population_size = 10,
                               .generations = 5,
                               .mutation_ratio = 1.0,
                               .mutation_prob = 0.0,
                               .resolution_prob = 0.0};
  // Mutants that change nothing are their parents.
  const SearchTrace trace =
      run_reference_evolution(config, space, evaluator, test::best_within(1e6), 1, progress);
  CHECK(trace.archive.size() == 10);
  CHECK(trace.generations.size() == 6);
}

TEST_CASE("the reference's evolution ends where nothing keeps the bounds", "[search][unit]") {
  const auto space = test::load_space("tiny");
  AdditiveEvaluator evaluator(space);
  const ReferenceConfig config{.population_size = 4, .generations = 2};
  const Problem problem = test::best_within(0.5 * evaluator.least_ms());
  const SearchTrace trace = run_reference_evolution(config, space, evaluator, problem, 1, progress);
  CHECK_FALSE(trace.best.has_value());
  CHECK(trace.stop_reason == StopReason::kNoFeasibleFound);
  // The cheapest arch stands in where drawing cannot find what just fits.
  const std::vector<space::Arch> seeds = {space::smallest(space)};
  const SearchTrace tight = run_reference_evolution(
      config, space, evaluator, test::best_within(evaluator.least_ms()), 1, progress, seeds);
  REQUIRE(tight.best.has_value());
  CHECK(tight.archive[*tight.best].arch == space::smallest(space));
}

TEST_CASE("the reference's evolution in a space of one point", "[search][unit]") {
  const auto space = test::one_point_space();
  auto evaluator = Additive(space).evaluator();
  const SearchTrace trace =
      run_reference_evolution({}, space, evaluator, test::best_within(2.0), 1, progress);
  CHECK(trace.archive.size() == 1);
  CHECK(trace.best == std::size_t{0});
}

TEST_CASE("the reference's evolution has one objective", "[search][error]") {
  const auto space = test::load_space("tiny");
  auto evaluator = Additive(space).evaluator();
  const Problem problem{
      .objectives = {{.metric = "top1", .maximise = {}}, {.metric = "latency_ms", .maximise = {}}},
      .bounds = {}};
  CHECK_THROWS_AS(run_reference_evolution({}, space, evaluator, problem, 1, progress), ConfigError);
  CHECK_THROWS_WITH(run_reference_evolution({}, space, evaluator, problem, 1, progress),
                    ContainsSubstring("has one objective, not 2; use nsga2"));
}

TEST_CASE("local search finds what dynamic programming proves best", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const auto seed = GENERATE(range<std::uint64_t>(1, 4));
  AdditiveEvaluator evaluator(space, seed);
  const double max_ms = share_of_range(evaluator, 0.5);
  const SearchTrace trace = run_local_search({.max_evaluations = 1000}, space, evaluator,
                                             test::best_within(max_ms), seed, progress);
  const double optimum = evaluator.best_top1(max_ms);
  CHECK(best_top1(trace) <= optimum + 1e-12);
  CHECK(best_top1(trace) >= optimum - 1e-3);
}

TEST_CASE("local search starts from what it repairs where nothing drawn keeps the bounds",
          "[search][unit]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  const double max_ms = share_of_range(evaluator, 0.001);
  const SearchTrace trace = run_local_search({.max_evaluations = 200}, space, evaluator,
                                             test::best_within(max_ms), 1, progress);
  REQUIRE(trace.best.has_value());
  CHECK(trace.archive.front().score.feasible);
  CHECK(best_top1(trace) == Approx(evaluator.best_top1(max_ms)));
}

TEST_CASE("local search climbs without additive bounds too", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const Additive model(space);
  auto evaluator = model.evaluator();
  const Problem problem =
      test::best_within(1.0 + 0.4 * (model.latency_ms(space::largest(space)) - 1.0));
  const SearchTrace climbed =
      run_local_search({.max_evaluations = 2000}, space, evaluator, problem, 1, progress);
  const SearchTrace random =
      run_random_search({.max_evaluations = 2000}, space, evaluator, problem, 1, progress);
  CHECK(best_top1(climbed) > best_top1(random));
}

TEST_CASE("exhaustive search is the truth of a small space", "[search][property]") {
  const auto space = test::load_space("tiny");
  AdditiveEvaluator evaluator(space);
  const double max_ms = share_of_range(evaluator, 0.3);
  const SearchTrace trace =
      run_exhaustive({.batch_size = 50}, space, evaluator, test::best_within(max_ms), progress);
  CHECK(trace.archive.size() == space::enumerate(space).size());
  CHECK(trace.stop_reason == StopReason::kSpaceExhausted);
  double best = -1.0;
  for (const Evaluated& one : trace.archive) {
    if (one.values[1] <= max_ms) best = std::max(best, one.values[0]);
  }
  CHECK(best_top1(trace) == best);
  CHECK(trace.generations.size() == (trace.archive.size() + 49) / 50);
}

TEST_CASE("exhaustive search refuses a large space", "[search][error]") {
  const auto space = test::load_space("mbv3_32px");
  AdditiveEvaluator evaluator(space);
  CHECK_THROWS_WITH(run_exhaustive({}, space, evaluator, test::best_within(1.0), progress),
                    ContainsSubstring("more than the 2000000 of 'max_archs'"));
}

TEST_CASE("configurations of the other strategies are checked", "[search][error]") {
  const auto space = test::load_space("tiny");
  auto evaluator = Additive(space).evaluator();
  const auto [config, message] = GENERATE(table<StrategyConfig, std::string>({
      {ReferenceConfig{.population_size = 1}, "population_size must be in [2, "},
      {ReferenceConfig{.generations = -1}, "generations must be in [0, "},
      {ReferenceConfig{.parent_ratio = 0.0}, "parent_ratio must be in (0, 1], got 0"},
      {ReferenceConfig{.mutation_ratio = 2.0}, "mutation_ratio must be in [0, 1], got 2"},
      {ReferenceConfig{.mutation_prob = -0.1}, "mutation_prob must be in [0, 1], got -0.1"},
      {ReferenceConfig{.resolution_prob = 1.1}, "resolution_prob must be in [0, 1], got 1.1"},
      {LocalSearchConfig{.max_evaluations = 0}, "max_evaluations must be in [1, "},
      {ExhaustiveConfig{.max_archs = 0}, "max_archs must be in [1, "},
      {ExhaustiveConfig{.batch_size = 0}, "batch_size must be in [1, "},
  }));
  CHECK_THROWS_AS(run_search(config, space, evaluator, test::best_within(2.0), 1, progress),
                  std::invalid_argument);
  CHECK_THROWS_WITH(run_search(config, space, evaluator, test::best_within(2.0), 1, progress),
                    ContainsSubstring(message));
}

TEST_CASE("the other strategies have the names of the project file", "[search][unit]") {
  CHECK(strategy_name(ReferenceConfig{}) == "reference");
  CHECK(strategy_name(LocalSearchConfig{}) == "local_search");
  CHECK(strategy_name(ExhaustiveConfig{}) == "exhaustive");
}

}  // namespace omnifit::search
