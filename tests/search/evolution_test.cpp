#include "search/evolution.hpp"

#include "core/error.hpp"
#include "search/hypervolume.hpp"
#include "search/pareto.hpp"
#include "search/random_search.hpp"
#include "search/strategy.hpp"
#include "space/sampling.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace omnifit::search {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::Additive;

core::NullProgress progress;

double best_top1(const SearchTrace& trace) {
  return trace.best ? trace.archive[*trace.best].values[0]
                    : -std::numeric_limits<double>::infinity();
}

/// Exact best top-1 within a latency budget, by trying every arch.
double exhaustive_best(const space::SearchSpace& space, const Additive& model, double max_ms) {
  double best = -1.0;
  for (const space::Arch& arch : space::enumerate(space)) {
    if (model.latency_ms(arch) <= max_ms) best = std::max(best, model.top1(arch));
  }
  return best;
}

double budget_ms(const space::SearchSpace& space, const Additive& model, double share) {
  const double low = model.latency_ms(space::smallest(space));
  return low + share * (model.latency_ms(space::largest(space)) - low);
}

}  // namespace

TEST_CASE("evolution nearly always finds the optimum of tiny from half of its archs",
          "[search][property]") {
  const auto space = test::load_space("tiny");
  const std::vector<space::Arch> seeds = {space::smallest(space)};
  int evolution_hits = 0;
  int random_hits = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Additive model(space, seed);
    for (const double share : {0.1, 0.3, 0.6, 1.0}) {
      const double max_ms = budget_ms(space, model, share);
      const double optimum = exhaustive_best(space, model, max_ms);
      const Problem problem = test::best_within(max_ms);
      auto evaluator = model.evaluator();
      const auto evolved = run_evolution({.population_size = 16, .max_evaluations = 80}, space,
                                         evaluator, problem, seed, progress, seeds);
      const auto random =
          run_random_search({.max_evaluations = 80}, space, evaluator, problem, seed, progress);
      evolution_hits += best_top1(evolved) == optimum ? 1 : 0;
      random_hits += best_top1(random) == optimum ? 1 : 0;
    }
  }
  CAPTURE(random_hits);
  CHECK(evolution_hits >= 66);
  CHECK(evolution_hits > random_hits + 20);
}

TEST_CASE("evolution as it comes finds the optimum of tiny", "[search][property]") {
  const auto space = test::load_space("tiny");
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Additive model(space, seed);
    const double max_ms = budget_ms(space, model, 0.3);
    auto evaluator = model.evaluator();
    const auto trace =
        run_evolution({}, space, evaluator, test::best_within(max_ms), seed, progress);
    CHECK(best_top1(trace) == exhaustive_best(space, model, max_ms));
  }
}

TEST_CASE("evolution beats random search clearly", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const double share = GENERATE(0.1, 0.4, 0.7);
  CAPTURE(share);
  // Over seeds: how far both stay behind what ten times as many evaluations reach.
  double evolution_gap = 0.0;
  double random_gap = 0.0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    const Additive model(space, seed);
    const Problem problem = test::best_within(budget_ms(space, model, share));
    const std::vector<space::Arch> seeds = {space::smallest(space)};
    auto evaluator = model.evaluator();
    const double evolved =
        best_top1(run_evolution({.population_size = 100, .max_evaluations = 2000}, space, evaluator,
                                problem, seed, progress, seeds));
    const double random = best_top1(
        run_random_search({.max_evaluations = 2000}, space, evaluator, problem, seed, progress));
    const double reference = best_top1(run_evolution({.max_evaluations = 20'000}, space, evaluator,
                                                     problem, seed + 100, progress, seeds));
    CHECK(evolved > random);
    evolution_gap += reference - evolved;
    random_gap += reference - random;
  }
  CHECK(evolution_gap < 0.2 * random_gap);
}

TEST_CASE("seeds make a tight budget feasible", "[search][unit]") {
  const auto space = test::load_space("mbv3_32px");
  const Additive model(space);
  const Problem problem = test::best_within(budget_ms(space, model, 0.01));
  auto evaluator = model.evaluator();
  const std::vector<space::Arch> seeds = {space::smallest(space), space::smallest(space)};
  const SearchTrace trace =
      run_evolution({.population_size = 10, .patience = 1000, .max_evaluations = 400}, space,
                    evaluator, problem, 1, progress, seeds);
  CHECK(trace.archive.front().arch == space::smallest(space));
  CHECK(trace.generations.front().feasible_share > 0.0);
  CHECK(evaluator.most_repeated() == 1);
  // Generation by generation the population moves within the bound.
  CHECK(trace.generations.back().feasible_share > trace.generations.front().feasible_share);
}

TEST_CASE("without seeds, less violation leads into the feasible region", "[search][unit]") {
  const auto space = test::load_space("mbv3_32px");
  const Additive model(space);
  const Problem problem = test::best_within(budget_ms(space, model, 0.03));
  auto evaluator = model.evaluator();
  const SearchTrace trace =
      run_evolution({.max_evaluations = 2000}, space, evaluator, problem, 1, progress);
  CHECK(trace.generations.front().feasible_share < 0.05);
  CHECK(trace.generations.back().num_evaluations == 2000);
  CHECK(trace.num_feasible() > 5);
}

TEST_CASE("the best of the population never gets worse", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const auto seed = GENERATE(range<std::uint64_t>(1, 6));
  const Additive model(space, seed);
  auto evaluator = model.evaluator();
  const SearchTrace trace =
      run_evolution({.population_size = 20, .max_evaluations = 600}, space, evaluator,
                    test::best_within(budget_ms(space, model, 0.5)), seed, progress);
  for (std::size_t i = 1; i < trace.generations.size(); ++i) {
    if (trace.generations[i - 1].best)
      CHECK(*trace.generations[i].best >= *trace.generations[i - 1].best);
  }
  CHECK(*trace.generations.back().best == best_top1(trace));
}

TEST_CASE("generations end a search with budget left", "[search][unit]") {
  const auto space = test::load_space("mbv3_32px");
  auto evaluator = Additive(space).evaluator();
  const SearchTrace trace = run_evolution({.population_size = 10, .generations = 3}, space,
                                          evaluator, test::best_within(100.0), 1, progress);
  CHECK(trace.archive.size() == 40);
  CHECK(trace.generations.size() == 4);
  CHECK(trace.stop_reason == StopReason::kGenerationsDone);
  CHECK(evaluator.largest_batch() == 10);
}

TEST_CASE("several objectives: the front beats random search's", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  const auto seed = GENERATE(range<std::uint64_t>(1, 4));
  const Additive model(space, seed);
  const Problem problem{
      .objectives = {{.metric = "top1", .maximise = {}}, {.metric = "latency_ms", .maximise = {}}},
      .bounds = {}};
  const auto volume = [&](const SearchTrace& trace) {
    MetricTable points(trace.front.size(), 2);
    for (std::size_t i = 0; i < trace.front.size(); ++i) {
      std::ranges::copy(trace.archive[trace.front[i]].score.objectives, points.row(i).begin());
    }
    return hypervolume(points, std::vector{-0.5, model.latency_ms(space::largest(space))});
  };
  auto evaluator = model.evaluator();
  const SearchTrace evolved =
      run_evolution({.max_evaluations = 2000}, space, evaluator, problem, seed, progress);
  const SearchTrace random =
      run_random_search({.max_evaluations = 2000}, space, evaluator, problem, seed, progress);
  CHECK(volume(evolved) > 1.05 * volume(random));
  CHECK(evolved.front.size() > random.front.size());
}

TEST_CASE("several objectives: tiny's whole front is found", "[search][property]") {
  const auto space = test::load_space("tiny");
  const Additive model(space);
  const Problem problem{
      .objectives = {{.metric = "top1", .maximise = {}}, {.metric = "latency_ms", .maximise = {}}},
      .bounds = {}};
  auto evaluator = model.evaluator();
  const SearchTrace trace = run_evolution({.population_size = 30, .max_evaluations = 10'000}, space,
                                          evaluator, problem, 1, progress);
  const auto all = space::enumerate(space);
  MetricTable points(all.size(), 2);
  for (std::size_t i = 0; i < all.size(); ++i) {
    points.row(i)[0] = -model.top1(all[i]);
    points.row(i)[1] = model.latency_ms(all[i]);
  }
  CHECK(trace.front.size() == non_dominated(points).size());
}

TEST_CASE("configurations are checked", "[search][error]") {
  const auto space = test::load_space("tiny");
  auto evaluator = Additive(space).evaluator();
  const Problem problem = test::best_within(2.0);
  const auto [config, message] = GENERATE(table<StrategyConfig, std::string>({
      {EvolutionConfig{.population_size = 1}, "population_size must be in [2, 1000000], got 1"},
      {EvolutionConfig{.generations = -1}, "generations must be in [0, "},
      {EvolutionConfig{.parent_ratio = 0.0}, "parent_ratio must be in (0, 1], got 0"},
      {EvolutionConfig{.mutation_share = 1.5}, "mutation_share must be in [0, 1], got 1.5"},
      {EvolutionConfig{.mutation_prob = std::nan("")}, "mutation_prob must be in [0, 1], got nan"},
      {EvolutionConfig{.candidates = 0}, "candidates must be in [1, 1000], got 0"},
      {EvolutionConfig{.patience = 0}, "patience must be in [1, "},
      {EvolutionConfig{.climbers = -1}, "climbers must be in [0, "},
      {EvolutionConfig{.guided_evaluations = -1}, "guided_evaluations must be in [0, "},
      {EvolutionConfig{.max_evaluations = 0}, "max_evaluations must be in [1, "},
      {RandomConfig{.max_evaluations = 0}, "max_evaluations must be in [1, "},
      {RandomConfig{.batch_size = 0}, "batch_size must be in [1, "},
  }));
  CHECK_THROWS_AS(run_search(config, space, evaluator, problem, 1, progress),
                  std::invalid_argument);
  CHECK_THROWS_WITH(run_search(config, space, evaluator, problem, 1, progress),
                    ContainsSubstring(message));
}

TEST_CASE("a seed of another space is refused", "[search][error]") {
  const auto space = test::load_space("tiny");
  auto evaluator = Additive(space).evaluator();
  const std::vector<space::Arch> seeds = {space::smallest(test::load_space("mbv3_32px"))};
  CHECK_THROWS_WITH(run_evolution({}, space, evaluator, test::best_within(2.0), 1, progress, seeds),
                    ContainsSubstring("seed 0 is an arch of another space than tiny"));
}

TEST_CASE("configurations read what they write and check their ranges", "[search][unit]") {
  const EvolutionConfig config{.population_size = 12, .generations = 7, .mutation_prob = 0.25};
  const auto text = core::write_config(config);
  const auto again = core::read_config<EvolutionConfig>(core::parse_yaml(text, "job.yaml"));
  CHECK(core::write_config(again) == text);
  CHECK(again.population_size == 12);
  const RandomConfig random =
      core::read_config<RandomConfig>(core::parse_yaml("max_evaluations: 33", "job.yaml"));
  CHECK(random.max_evaluations == 33);
  CHECK_THROWS_WITH(
      core::read_config<EvolutionConfig>(core::parse_yaml("population_szie: 5", "job.yaml")),
      ContainsSubstring("did you mean 'population_size'"));
  CHECK_THROWS_AS(
      core::read_config<EvolutionConfig>(core::parse_yaml("parent_ratio: 0", "job.yaml")),
      ConfigError);
}

TEST_CASE("strategies have the names of the project file", "[search][unit]") {
  CHECK(strategy_name(EvolutionConfig{}) == "evolution");
  CHECK(strategy_name(RandomConfig{}) == "random");
}

}  // namespace omnifit::search
