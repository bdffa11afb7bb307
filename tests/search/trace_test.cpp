#include "search/trace.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace omnifit::search {
namespace {

using Catch::Matchers::ContainsSubstring;

/// A trace whose archive has these rows of top1, latency_ms, macs.
SearchTrace trace_of(const Problem& problem, const std::vector<std::vector<double>>& rows) {
  SearchTrace trace;
  trace.metrics = {{.name = "top1", .maximise = true},
                   {.name = "latency_ms", .maximise = false},
                   {.name = "macs", .maximise = false}};
  const Scorer scorer(problem, trace.metrics);
  for (const auto& row : rows)
    trace.archive.push_back({.arch = {}, .values = row, .score = scorer.score(row)});
  return trace;
}

SearchTrace trace_with_front(std::size_t size) {
  SearchTrace trace;
  for (std::size_t i = 0; i < size; ++i) trace.front.push_back(100 + i);
  return trace;
}

}  // namespace

TEST_CASE("short fronts are kept whole", "[search][unit]") {
  CHECK(results(trace_with_front(0), 5).empty());
  CHECK(results(trace_with_front(5), 5) == std::vector<std::size_t>{100, 101, 102, 103, 104});
}

TEST_CASE("long fronts are thinned, finely near the best", "[search][unit]") {
  // Positions: the squares of 0, 1/4 … 1 times 100.
  CHECK(results(trace_with_front(101), 5) == std::vector<std::size_t>{100, 106, 125, 156, 200});
  CHECK(results(trace_with_front(101), 1) == std::vector<std::size_t>{100});
}

TEST_CASE("thinning keeps order, both ends and the number asked for", "[search][property]") {
  for (std::size_t size = 1; size <= 60; ++size) {
    for (int wanted = 1; wanted <= 60; ++wanted) {
      CAPTURE(size, wanted);
      const auto kept = results(trace_with_front(size), wanted);
      REQUIRE(kept.size() == std::min(size, static_cast<std::size_t>(wanted)));
      CHECK(std::adjacent_find(kept.begin(), kept.end(), std::greater_equal<>()) == kept.end());
      CHECK(kept.front() == 100);
      if (wanted > 1) CHECK(kept.back() == 99 + size);
    }
  }
}

TEST_CASE("no room for a result is refused", "[search][error]") {
  CHECK_THROWS_AS(results(trace_with_front(3), 0), std::invalid_argument);
  CHECK_THROWS_WITH(results(trace_with_front(3), 0),
                    ContainsSubstring("max_results must be at least 1, got 0"));
}

TEST_CASE("every stop reason has its text", "[search][unit]") {
  CHECK(stop_reason_text(StopReason::kGenerationsDone) == "generations done");
  CHECK(stop_reason_text(StopReason::kEvaluationBudgetUsed) == "evaluation budget used");
  CHECK(stop_reason_text(StopReason::kSpaceExhausted) == "space exhausted");
  CHECK(stop_reason_text(StopReason::kNoFeasibleFound) == "no feasible subnet found");
}

TEST_CASE("an infeasible search names the bound that binds", "[search][unit]") {
  const Objective objective{.metric = "top1", .maximise = {}};
  const Bound fast{.metric = "latency_ms", .min = {}, .max = 1.0};
  const Bound small{.metric = "macs", .min = {}, .max = 5.0};
  SECTION("one bound") {
    const Problem problem{{objective}, {fast, small}};
    CHECK(explain_infeasible(trace_of(problem, {{0.5, 1.5, 4}, {0.6, 2.5, 3}}), problem) ==
          "none of 2 subnets meets latency_ms <= 1 (found 1.5 to 2.5)");
  }
  SECTION("both") {
    const Problem problem{{objective}, {fast, small}};
    CHECK(
        explain_infeasible(trace_of(problem, {{0.5, 1.5, 6}, {0.6, 2.5, 7}}), problem) ==
        "none of 2 subnets meets latency_ms <= 1 (found 1.5 to 2.5), nor macs <= 5 (found 6 to 7)");
  }
  SECTION("only one at a time") {
    const Problem problem{{objective}, {fast, small}};
    CHECK(explain_infeasible(trace_of(problem, {{0.5, 0.5, 6}, {0.6, 2.5, 3}}), problem) ==
          "none of 2 subnets meets all of latency_ms <= 1, macs <= 5 at once, though each alone "
          "can be met");
  }
  SECTION("a minimum") {
    const Problem problem{{objective}, {{.metric = "top1", .min = 0.9, .max = {}}}};
    CHECK(explain_infeasible(trace_of(problem, {{0.5, 1, 6}, {0.6, 2, 3}}), problem) ==
          "none of 2 subnets meets top1 >= 0.9 (found 0.5 to 0.6)");
  }
}

}  // namespace omnifit::search
