#include "search/problem.hpp"

#include "core/error.hpp"
#include "tests/support/catch.hpp"

#include <limits>
#include <string>
#include <vector>

namespace omnifit::search {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const std::vector<Metric> kMetrics = {{.name = "top1", .maximise = true},
                                      {.name = "latency_ms", .maximise = false},
                                      {.name = "macs", .maximise = false}};

Objective objective(const std::string& metric) { return {.metric = metric, .maximise = {}}; }
Bound at_most(const std::string& metric, double max) {
  return {.metric = metric, .min = {}, .max = max};
}
Bound at_least(const std::string& metric, double min) {
  return {.metric = metric, .min = min, .max = {}};
}

Score score(const Problem& problem, std::vector<double> row) {
  return Scorer(problem, kMetrics).score(row);
}

}  // namespace

TEST_CASE("objectives are minimised in the metric's direction unless told otherwise",
          "[search][unit]") {
  const std::vector<double> row = {0.9, 2.0, 5e6};
  CHECK(score({{objective("top1")}, {}}, row).objectives == std::vector<double>{-0.9});
  CHECK(score({{objective("latency_ms")}, {}}, row).objectives == std::vector<double>{2.0});
  CHECK(score({{{"macs", true}, {"top1", false}}, {}}, row).objectives ==
        std::vector<double>{-5e6, 0.9});
}

TEST_CASE("violation is relative and adds up", "[search][unit]") {
  const Problem problem{{objective("top1")}, {at_most("latency_ms", 2.0), at_least("macs", 100.0)}};
  CHECK(score(problem, {0.9, 2.0, 100.0}).feasible);
  CHECK(score(problem, {0.9, 2.0, 100.0}).violation == 0.0);
  CHECK(score(problem, {0.9, 3.0, 100.0}).violation == Approx(0.5));
  CHECK(score(problem, {0.9, 3.0, 75.0}).violation == Approx(0.75));
  CHECK_FALSE(score(problem, {0.9, 2.1, 100.0}).feasible);
  CHECK(score({{objective("top1")}, {at_most("latency_ms", 0.0)}}, {0.9, 0.25, 1}).violation ==
        Approx(0.25));
  const Problem window{{objective("top1")}, {{.metric = "macs", .min = 1.0, .max = 2.0}}};
  CHECK(score(window, {0.9, 1, 1.5}).feasible);
  CHECK_FALSE(score(window, {0.9, 1, 0.5}).feasible);
  CHECK_FALSE(score(window, {0.9, 1, 2.5}).feasible);
}

TEST_CASE("what could not be evaluated is infeasible and worse than any violation",
          "[search][unit]") {
  const Problem problem{{objective("top1")}, {at_most("latency_ms", 1.0)}};
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    const Score unknown = score(problem, {0.9, bad, 1.0});
    CHECK_FALSE(unknown.feasible);
    CHECK(unknown.violation == kInfinity);
    CHECK(better(score(problem, {0.1, 1e12, 1.0}), unknown));
    CHECK_FALSE(better(unknown, unknown));
  }
}

TEST_CASE("feasible first, then less violation, then the objective", "[search][unit]") {
  const Problem problem{{objective("top1")}, {at_most("latency_ms", 1.0)}};
  const Score good = score(problem, {0.9, 1.0, 1});
  const Score poor = score(problem, {0.2, 1.0, 1});
  const Score near = score(problem, {0.99, 1.1, 1});
  const Score far = score(problem, {1.0, 5.0, 1});
  CHECK(better(good, poor));
  CHECK(better(poor, near));
  CHECK(better(near, far));
  CHECK_FALSE(better(poor, good));
  CHECK_FALSE(better(good, good));
}

TEST_CASE("the trade-off has the bounded costs of a single objective", "[search][unit]") {
  const std::vector<double> row = {0.9, 2.0, 5.0};
  const auto trade_off = [&](const Problem& problem) {
    return Scorer(problem, kMetrics).trade_off(row);
  };
  CHECK(trade_off({{objective("top1")}, {}}) == std::vector<double>{-0.9});
  CHECK(trade_off({{objective("top1")}, {at_most("latency_ms", 3.0)}}) ==
        std::vector<double>{-0.9, 2.0});
  CHECK(trade_off({{objective("latency_ms")}, {at_least("top1", 0.5)}}) ==
        std::vector<double>{2.0, -0.9});
  CHECK(trade_off({{objective("top1")}, {at_least("top1", 0.5)}}) == std::vector<double>{-0.9});
  CHECK(trade_off({{objective("top1"), objective("macs")}, {at_most("latency_ms", 3.0)}}) ==
        std::vector<double>{-0.9, 5.0});
}

TEST_CASE("a bound prints as people write it", "[search][unit]") {
  CHECK(to_text(at_most("latency_ms", 1.25)) == "latency_ms <= 1.25");
  CHECK(to_text(at_least("top1", 0.9)) == "top1 >= 0.9");
  CHECK(to_text({.metric = "macs", .min = 1e6, .max = 2.5e6}) == "1e+06 <= macs <= 2.5e+06");
}

TEST_CASE("wrong problems are refused with what is allowed", "[search][error]") {
  const auto [problem, message] = GENERATE(table<Problem, std::string>({
      {{{}, {}}, "at least one objective"},
      {{{objective("latancy_ms")}, {}},
       "objective 'latancy_ms' is no metric of the evaluator; did you mean 'latency_ms'? (allowed: "
       "top1, latency_ms, macs)"},
      {{{objective("top1")}, {at_most("energy", 1)}}, "bounded metric 'energy' is no metric"},
      {{{objective("top1"), objective("top1")}, {}}, "objective 'top1' is named twice"},
      {{{objective("top1")}, {at_most("macs", 1), at_least("macs", 0)}}, "'macs' is bounded twice"},
      {{{objective("top1")}, {{.metric = "macs", .min = {}, .max = {}}}},
       "neither a minimum nor a maximum"},
      {{{objective("top1")}, {at_most("macs", kNan)}}, "must be a finite number"},
      {{{objective("top1")}, {at_least("macs", kInfinity)}}, "must be a finite number"},
      {{{objective("top1")}, {{.metric = "macs", .min = 5.0, .max = 3.0}}},
       "the bounds on 'macs' contradict each other: at least 5 and at most 3"},
  }));
  CHECK_THROWS_AS(Scorer(problem, kMetrics), ConfigError);
  CHECK_THROWS_WITH(Scorer(problem, kMetrics), ContainsSubstring(message));
}

}  // namespace omnifit::search
