#include "search/nsga.hpp"

#include "search/detail/survival.hpp"
#include "search/hypervolume.hpp"
#include "search/random_search.hpp"
#include "space/sampling.hpp"
#include "tests/search/points.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace omnifit::search {
namespace {

using Catch::Matchers::ContainsSubstring;
using detail::Candidates;
using detail::reference_directions;
using detail::Standing;
using test::Additive;
using test::FakeEvaluator;
using test::table_of;

std::vector<std::size_t> members(const std::vector<Standing>& standings) {
  std::vector<std::size_t> result;
  for (const Standing& standing : standings) result.push_back(standing.member);
  return result;
}

/// Accuracy against two costs whose rates differ, so that all three matter.
FakeEvaluator three_metrics(const space::SearchSpace& space) {
  const Additive first(space, 1);
  const Additive second(space, 2);
  return FakeEvaluator(
      {{{.name = "top1", .maximise = true}, [=](const space::Arch& a) { return first.top1(a); }},
       {{.name = "latency_ms", .maximise = false},
        [=](const space::Arch& a) { return first.latency_ms(a); }},
       {{.name = "macs", .maximise = false},
        [=](const space::Arch& a) { return second.latency_ms(a); }}});
}

Problem objectives(const std::vector<std::string>& metrics) {
  Problem problem;
  for (const std::string& metric : metrics) problem.objectives.push_back({metric, {}});
  return problem;
}

/// Hypervolume of the archs' objectives over that of the whole space, both against the worst value
/// of each objective in the whole space.
double hypervolume_share(const space::SearchSpace& space, Evaluator& evaluator,
                         const Problem& problem, const SearchTrace& trace) {
  const Scorer scorer(problem, evaluator.metrics());
  const std::vector<space::Arch> all = space::enumerate(space);
  const MetricTable values = evaluator.evaluate(all);
  MetricTable truth(all.size(), problem.objectives.size());
  std::vector<double> worst(problem.objectives.size(), -1e300);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Score score = scorer.score(values.row(i));
    std::ranges::copy(score.objectives, truth.row(i).begin());
    for (std::size_t c = 0; c < worst.size(); ++c)
      worst[c] = std::max(worst[c], score.objectives[c]);
  }
  MetricTable found(trace.archive.size(), problem.objectives.size());
  for (std::size_t i = 0; i < trace.archive.size(); ++i) {
    std::ranges::copy(trace.archive[i].score.objectives, found.row(i).begin());
  }
  return hypervolume(found, worst) / hypervolume(truth, worst);
}

}  // namespace

TEST_CASE("the less crowded of the last front survive", "[search][unit]") {
  //                                  0       1       2       3       4       5 (second front)
  const Candidates candidates{table_of({{0, 10}, {1, 8}, {1.5, 7}, {6, 2}, {10, 0}, {11, 11}}),
                              {0.5, 0.25}};
  CHECK(members(survive_by_crowding(candidates, 4)) == std::vector<std::size_t>{0, 4, 3, 2});
  const std::vector<Standing> all = survive_by_crowding(candidates, 20);
  CHECK(members(all) == std::vector<std::size_t>{0, 4, 3, 2, 1, 5, 7, 6});
  std::vector<int> ranks;
  for (const Standing& standing : all) ranks.push_back(standing.rank);
  CHECK(ranks == std::vector<int>{0, 0, 0, 0, 0, 1, 2, 3});
  CHECK(detail::survive_by_crowding({MetricTable(0, 2), {}}, 5).empty());
}

TEST_CASE("reference directions are the finest grid that fits", "[search][golden]") {
  // Numbers of Das and Dennis: 12 divisions of three objectives give 91 points, 6 of five give 210.
  CHECK(reference_directions(3, 92).size() == 91);
  CHECK(reference_directions(5, 210).size() == 210);
  CHECK(reference_directions(2, 100).size() == 100);
  CHECK(reference_directions(1, 10).size() == 1);
  // 8 objectives: 3 divisions and 2 inside, the two layers of the paper.
  CHECK(reference_directions(8, 156).size() == 156);
  // Fewer than there are axes: the axes.
  CHECK(reference_directions(4, 2).size() == 4);
  for (const auto& direction : reference_directions(8, 156)) {
    CHECK(std::accumulate(direction.begin(), direction.end(), 0.0) == Approx(1.0));
    CHECK(std::ranges::all_of(direction, [](double share) { return share >= 0.0; }));
  }
  const auto grid = reference_directions(3, 92);
  CHECK(std::set(grid.begin(), grid.end()).size() == grid.size());
}

TEST_CASE("directions keep a front spread where chance would cluster it", "[search][unit]") {
  // Forty points near one corner of the front and one at each of the others.
  std::vector<std::vector<double>> rows;
  for (int i = 0; i < 40; ++i) rows.push_back({0.001 * i, 1.0, 1.0 - 0.001 * i});
  rows.push_back({1.0, 0.0, 1.0});
  rows.push_back({1.0, 1.0, 0.0});
  detail::DirectionSurvival survival(3, 10);
  const auto kept = members(survival.survive({table_of(rows), {0.5}}, 10,
                                             core::Rng::stream(1, core::Purpose::kTest, {})));
  CHECK(kept.size() == 10);
  CHECK(std::ranges::count(kept, 40u) == 1);
  CHECK(std::ranges::count(kept, 41u) == 1);
  CHECK(std::set(kept.begin(), kept.end()).size() == 10);
}

TEST_CASE("NSGA-II finds the front of two objectives, far before random search",
          "[search][property]") {
  const space::SearchSpace space = test::load_space("tiny");
  const Problem problem = objectives({"top1", "latency_ms"});
  FakeEvaluator evaluator = three_metrics(space);
  core::NullProgress progress;
  constexpr std::int64_t kEvaluations = 120;
  double found = 0.0;
  double by_chance = 0.0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Nsga2Config config{{.population_size = 20, .max_evaluations = kEvaluations}};
    found += hypervolume_share(space, evaluator, problem,
                               run_nsga2(config, space, evaluator, problem, seed, progress));
    const RandomConfig random{.max_evaluations = kEvaluations};
    by_chance +=
        hypervolume_share(space, evaluator, problem,
                          run_random_search(random, space, evaluator, problem, seed, progress));
  }
  CAPTURE(found / 5, by_chance / 5);
  CHECK(found / 5 > 0.97);
  CHECK(found > by_chance);
}

TEST_CASE("NSGA-III finds the front of three objectives", "[search][property]") {
  const space::SearchSpace space = test::load_space("tiny");
  const Problem problem = objectives({"top1", "latency_ms", "macs"});
  FakeEvaluator evaluator = three_metrics(space);
  core::NullProgress progress;
  double found = 0.0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Nsga3Config config{{.population_size = 28, .max_evaluations = 150}};
    found += hypervolume_share(space, evaluator, problem,
                               run_nsga3(config, space, evaluator, problem, seed, progress));
  }
  CAPTURE(found / 5);
  CHECK(found / 5 > 0.95);
}

TEST_CASE("a single objective with a bound gives the trade-off", "[search][unit]") {
  const space::SearchSpace space = test::load_space("tiny");
  const Additive model(space);
  FakeEvaluator evaluator = model.evaluator();
  core::NullProgress progress;
  const Problem problem = test::best_within(model.latency_ms(space::largest(space)) * 0.8);
  const SearchTrace trace = run_nsga2({{.population_size = 16, .max_evaluations = 100}}, space,
                                      evaluator, problem, 3, progress);
  REQUIRE(trace.best);
  CHECK(trace.front.size() > 3);
}

TEST_CASE("NSGA refuses what it cannot run", "[search][error]") {
  const space::SearchSpace space = test::load_space("tiny");
  FakeEvaluator evaluator = three_metrics(space);
  const Problem problem = objectives({"top1", "latency_ms"});
  core::NullProgress progress;
  CHECK_THROWS_WITH(run_nsga2({{.population_size = 1}}, space, evaluator, problem, 1, progress),
                    ContainsSubstring("population_size must be in [2"));
  CHECK_THROWS_WITH(run_nsga3({{.crossover_prob = 1.5}}, space, evaluator, problem, 1, progress),
                    ContainsSubstring("crossover_prob must be in [0, 1]"));
  const space::SearchSpace other = test::one_point_space();
  const std::vector<space::Arch> seeds = {space::smallest(other)};
  CHECK_THROWS_WITH(run_nsga2({}, space, evaluator, problem, 1, progress, seeds),
                    ContainsSubstring("another space"));
}

}  // namespace omnifit::search
