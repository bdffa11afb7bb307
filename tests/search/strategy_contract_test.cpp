#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/threads.hpp"
#include "search/pareto.hpp"
#include "search/strategy.hpp"
#include "space/sampling.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

// Every strategy must pass every test of this file.

namespace omnifit::search {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::Additive;
using test::FakeEvaluator;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<StrategyConfig> strategies(std::int64_t max_evaluations) {
  return {
      EvolutionConfig{
          .population_size = 20, .generations = 1000, .max_evaluations = max_evaluations},
      EvolutionConfig{.population_size = 7,
                      .generations = 1000,
                      .parent_ratio = 1.0,
                      .mutation_share = 0.0,
                      .mutation_prob = 1.0,
                      .max_evaluations = max_evaluations},
      RandomConfig{.max_evaluations = max_evaluations, .batch_size = 16},
      Nsga2Config{{.population_size = 20, .generations = 1000, .max_evaluations = max_evaluations}},
      Nsga3Config{{.population_size = 15,
                   .generations = 1000,
                   .crossover_prob = 0.5,
                   .mutation_prob = 0.5,
                   .max_evaluations = max_evaluations}},
      LocalSearchConfig{.max_evaluations = max_evaluations}};
}

StrategyConfig generate_strategy(std::int64_t max_evaluations) {
  const std::size_t index = GENERATE(range<std::size_t>(0, 6));
  return strategies(max_evaluations)[index];
}

SearchTrace run(const StrategyConfig& config, const space::SearchSpace& space, Evaluator& evaluator,
                const Problem& problem, std::uint64_t seed = 1) {
  core::NullProgress progress;
  const std::vector<space::Arch> seeds = {space::smallest(space)};
  return run_search(config, space, evaluator, problem, seed, progress, seeds);
}

Problem bi_objective(std::vector<Bound> bounds = {}) {
  return {
      .objectives = {{.metric = "top1", .maximise = {}}, {.metric = "latency_ms", .maximise = {}}},
      .bounds = std::move(bounds)};
}

/// What holds for every trace of every strategy.
void check_invariants(const SearchTrace& trace, const Problem& problem,
                      const FakeEvaluator& evaluator, std::int64_t max_evaluations) {
  const Scorer scorer(problem, trace.metrics);
  REQUIRE_FALSE(trace.archive.empty());
  CHECK(evaluator.num_asked() == trace.archive.size());
  CHECK(static_cast<std::int64_t>(trace.archive.size()) <= max_evaluations);
  CHECK(evaluator.most_repeated() == 1);
  for (const Evaluated& member : trace.archive) {
    const Score score = scorer.score(member.values);
    CHECK(member.score.feasible == score.feasible);
  }
  CHECK(trace.best.has_value() == (trace.num_feasible() > 0));
  CHECK(trace.front.empty() == !trace.best.has_value());
  if (trace.best) {
    CHECK(trace.front.front() == *trace.best);
    for (const Evaluated& member : trace.archive)
      CHECK_FALSE(better(member.score, trace.archive[*trace.best].score));
  }
  for (const std::size_t a : trace.front) {
    CHECK(trace.archive[a].score.feasible);
    const auto point_a = scorer.trade_off(trace.archive[a].values);
    for (const std::size_t b : trace.front) {
      CHECK_FALSE(dominates(scorer.trade_off(trace.archive[b].values), point_a));
      if (a != b) CHECK(scorer.trade_off(trace.archive[b].values) != point_a);
    }
    // Nothing feasible that was seen is better than the front.
    for (const Evaluated& member : trace.archive) {
      if (member.score.feasible) CHECK_FALSE(dominates(scorer.trade_off(member.values), point_a));
    }
  }
  for (std::size_t i = 1; i < trace.front.size(); ++i) {
    CHECK(trace.archive[trace.front[i - 1]].score.objectives.front() <=
          trace.archive[trace.front[i]].score.objectives.front());
  }
  REQUIRE_FALSE(trace.generations.empty());
  for (std::size_t i = 0; i < trace.generations.size(); ++i) {
    const GenerationRecord& record = trace.generations[i];
    CHECK(record.generation == static_cast<int>(i));
    CHECK((record.feasible_share >= 0.0 && record.feasible_share <= 1.0));
    if (i > 0) CHECK(record.num_evaluations > trace.generations[i - 1].num_evaluations);
  }
  CHECK(trace.generations.back().num_evaluations ==
        static_cast<std::int64_t>(trace.archive.size()));
}

void check_equal(const SearchTrace& a, const SearchTrace& b) {
  REQUIRE(a.archive.size() == b.archive.size());
  for (std::size_t i = 0; i < a.archive.size(); ++i) {
    CHECK(a.archive[i].arch == b.archive[i].arch);
    CHECK(a.archive[i].values == b.archive[i].values);
  }
  CHECK(a.best == b.best);
  CHECK(a.front == b.front);
  CHECK(a.stop_reason == b.stop_reason);
  CHECK(a.generations.size() == b.generations.size());
}

/// Scores a batch on several threads, as the real evaluators do.
class ParallelEvaluator final : public Evaluator {
 public:
  ParallelEvaluator(Evaluator& inner, int threads) : inner_(inner), threads_(threads) {}
  [[nodiscard]] const std::vector<Metric>& metrics() const override { return inner_.metrics(); }
  [[nodiscard]] int threads() const override { return threads_; }
  [[nodiscard]] MetricTable evaluate(std::span<const space::Arch> archs) override {
    MetricTable table(archs.size(), metrics().size());
    const Additive model(test::load_space("tiny"));
    core::parallel_for(static_cast<std::int64_t>(archs.size()), threads_, [&](std::int64_t i) {
      const auto row = static_cast<std::size_t>(i);
      table.row(row)[0] = model.top1(archs[row]);
      table.row(row)[1] = model.latency_ms(archs[row]);
    });
    return table;
  }

 private:
  Evaluator& inner_;
  int threads_;
};

}  // namespace

TEST_CASE("strategies keep the contract", "[search][contract]") {
  const auto space = test::load_space(GENERATE(as<std::string>(), "tiny", "mbv3_32px"));
  const std::int64_t budget = GENERATE(1, 19, 150);
  const StrategyConfig config = generate_strategy(budget);
  const Additive model(space);
  const double low_ms = model.latency_ms(space::smallest(space));
  const double high_ms = model.latency_ms(space::largest(space));
  const Problem problem = GENERATE_COPY(
      test::best_within(low_ms + 0.4 * (high_ms - low_ms)), test::best_within(high_ms),
      bi_objective(),
      bi_objective({{.metric = "latency_ms", .min = low_ms + 0.2, .max = high_ms - 0.2}}),
      Problem{.objectives = {{.metric = "latency_ms", .maximise = {}}},
              .bounds = {{.metric = "top1", .min = 0.51, .max = {}}}});
  CAPTURE(space.name(), budget, strategy_name(config));
  auto evaluator = model.evaluator();
  const SearchTrace trace = run(config, space, evaluator, problem);
  check_invariants(trace, problem, evaluator, budget);
  // Nobody stops before the budget is used or the space is exhausted.
  CHECK(static_cast<std::int64_t>(trace.archive.size()) == budget);
  CHECK(trace.stop_reason ==
        (trace.best ? StopReason::kEvaluationBudgetUsed : StopReason::kNoFeasibleFound));
}

TEST_CASE("strategies are deterministic in the seed and deaf to threads", "[search][contract]") {
  const auto space = test::load_space("tiny");
  const StrategyConfig config = generate_strategy(60);
  const Additive model(space);
  const Problem problem = test::best_within(1.3);
  auto evaluator = model.evaluator();
  const SearchTrace trace = run(config, space, evaluator, problem, 5);
  for (const int threads : {1, 8}) {
    ParallelEvaluator parallel(evaluator, threads);
    check_equal(run(config, space, parallel, problem, 5), trace);
  }
  auto again = model.evaluator();
  const SearchTrace other = run(config, space, again, problem, 6);
  bool differs = false;
  for (std::size_t i = 0; i < trace.archive.size(); ++i)
    differs = differs || other.archive[i].arch != trace.archive[i].arch;
  CHECK(differs);
}

TEST_CASE("strategies exhaust a small space and stop", "[search][contract]") {
  const auto space = test::load_space("tiny");
  const auto all = space::enumerate(space);
  const StrategyConfig config = generate_strategy(100'000);
  const Additive model(space);
  auto evaluator = model.evaluator();
  const Problem problem = test::best_within(1.4);
  const SearchTrace trace = run(config, space, evaluator, problem);
  check_invariants(trace, problem, evaluator, 100'000);
  CHECK(trace.archive.size() == all.size());
  CHECK(trace.stop_reason == StopReason::kSpaceExhausted);
  double best = 0.0;
  for (const auto& arch : all) {
    if (model.latency_ms(arch) <= 1.4) best = std::max(best, model.top1(arch));
  }
  CHECK(trace.archive[*trace.best].values[0] == best);
}

TEST_CASE("a population larger than the space is no trouble", "[search][contract]") {
  const auto space = test::load_space("tiny");
  const StrategyConfig config = GENERATE(StrategyConfig(EvolutionConfig{.population_size = 1000}),
                                         StrategyConfig(RandomConfig{.batch_size = 1000}));
  auto evaluator = Additive(space).evaluator();
  const SearchTrace trace = run(config, space, evaluator, test::best_within(1.4));
  check_invariants(trace, test::best_within(1.4), evaluator, 10'000);
  CHECK(trace.stop_reason == StopReason::kSpaceExhausted);
}

TEST_CASE("a space of one point is its own best", "[search][contract]") {
  const auto space = test::one_point_space();
  const StrategyConfig config = generate_strategy(10);
  auto evaluator = Additive(space).evaluator();
  const SearchTrace trace = run(config, space, evaluator, test::best_within(2.0));
  CHECK(trace.archive.size() == 1);
  CHECK(trace.best == std::size_t{0});
  CHECK(trace.stop_reason == StopReason::kSpaceExhausted);
}

TEST_CASE("archs that could not be evaluated are never a result", "[search][contract]") {
  const auto space = test::load_space("tiny");
  const StrategyConfig config = generate_strategy(80);
  const Additive model(space);
  const bool everything = GENERATE(true, false);
  const auto unlucky = [everything](const space::Arch& arch) {
    return everything || arch.hash() % 2 == 0;
  };
  FakeEvaluator evaluator(
      {{{.name = "top1", .maximise = true},
        [&](const space::Arch& a) { return unlucky(a) ? kNan : model.top1(a); }},
       {{.name = "latency_ms", .maximise = false},
        [&](const space::Arch& a) { return model.latency_ms(a); }}});
  const Problem problem = GENERATE(test::best_within(1.4), bi_objective());
  const SearchTrace trace = run(config, space, evaluator, problem);
  check_invariants(trace, problem, evaluator, 80);
  CHECK(trace.best.has_value() == !everything);
  if (everything) {
    CHECK(trace.stop_reason == StopReason::kNoFeasibleFound);
    CHECK_THAT(explain_infeasible(trace, problem),
               ContainsSubstring("none of 80 subnets could be evaluated"));
  } else {
    CHECK_FALSE(unlucky(trace.archive[*trace.best].arch));
  }
}

TEST_CASE("constant objectives end with the budget", "[search][contract]") {
  const auto space = test::load_space("tiny");
  const StrategyConfig config = generate_strategy(70);
  FakeEvaluator evaluator(
      {{{.name = "top1", .maximise = true}, [](const space::Arch&) { return 0.5; }},
       {{.name = "latency_ms", .maximise = false}, [](const space::Arch&) { return 1.0; }}});
  const Problem problem = GENERATE(test::best_within(1.4), bi_objective());
  const SearchTrace trace = run(config, space, evaluator, problem);
  check_invariants(trace, problem, evaluator, 70);
  CHECK(trace.archive.size() == 70);
  CHECK(trace.front.size() == 1);
}

TEST_CASE("a bound nobody can meet is an outcome that says how near it came",
          "[search][contract]") {
  const auto space = test::load_space("tiny");
  const StrategyConfig config = generate_strategy(50);
  auto evaluator = Additive(space).evaluator();
  const Problem problem = test::best_within(0.5);
  const SearchTrace trace = run(config, space, evaluator, problem);
  check_invariants(trace, problem, evaluator, 50);
  CHECK(trace.num_feasible() == 0);
  CHECK(trace.stop_reason == StopReason::kNoFeasibleFound);
  CHECK_THAT(explain_infeasible(trace, problem),
             ContainsSubstring("none of 50 subnets meets latency_ms <= 0.5 (found "));
}

TEST_CASE("contradictory bounds are refused before anything is evaluated", "[search][contract]") {
  const auto space = test::load_space("tiny");
  const StrategyConfig config = generate_strategy(50);
  auto evaluator = Additive(space).evaluator();
  const Problem problem{.objectives = {{.metric = "top1", .maximise = {}}},
                        .bounds = {{.metric = "latency_ms", .min = 5.0, .max = 3.0}}};
  CHECK_THROWS_AS(run(config, space, evaluator, problem), ConfigError);
  CHECK(evaluator.num_asked() == 0);
}

TEST_CASE("a stop that was asked for is obeyed", "[search][contract]") {
  const auto space = test::load_space("tiny");
  const StrategyConfig config = generate_strategy(150);
  auto evaluator = Additive(space).evaluator();
  core::request_stop(true);
  CHECK_THROWS_AS(run(config, space, evaluator, test::best_within(1.4)), Interrupted);
  core::request_stop(false);
  CHECK(evaluator.num_asked() < 50);
}

TEST_CASE("progress counts every subnet", "[search][contract]") {
  class Counting final : public core::ProgressSink {
   public:
    void begin(std::string_view, std::int64_t total, std::string_view, std::int64_t) override {
      expected += total;
    }
    void advance(std::int64_t units, std::string_view) override { seen += units; }
    void message(std::string_view) override {}
    void end() override { ++ended; }
    std::int64_t expected = 0;
    std::int64_t seen = 0;
    int ended = 0;
  };
  const auto space = test::load_space("tiny");
  const std::int64_t budget = GENERATE(50, 100'000);
  auto evaluator = Additive(space).evaluator();
  Counting progress;
  run_search(generate_strategy(budget), space, evaluator, test::best_within(1.4), 1, progress);
  CHECK(progress.expected == std::min<std::int64_t>(budget, 160));
  CHECK(progress.seen == progress.expected);
  CHECK(progress.ended == 1);
}

}  // namespace omnifit::search
