#include "space/additive_trade_off.hpp"

#include "core/error.hpp"
#include "space/costs.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace omnifit::space {
namespace {

using test::shipped_space;

constexpr TaskIo kIo{3, 10};

/// A cost without any order: small integers drawn from the unit's hash, so that sums are exact and
/// ties occur.
AdditiveCost scrambled(const SearchSpace& space, std::uint64_t salt, std::uint64_t values) {
  return AdditiveCost::compile(space, kIo, [&](const LayerSpec& spec) {
    core::Rng rng = core::Rng::stream(spec_hash(spec), core::Purpose::kTest, {salt});
    return std::optional(static_cast<double>(rng.below(values)) - 3.0);
  });
}

/// (cost, value) of the archs that no other one equals or beats in both.
std::vector<std::pair<double, double>> slow_front(const SearchSpace& space,
                                                  const AdditiveCost& cost,
                                                  const AdditiveCost& value, double max_cost) {
  std::vector<std::pair<double, double>> all;
  for (const Arch& arch : enumerate(space)) {
    if (cost(arch) <= max_cost) all.emplace_back(cost(arch), value(arch));
  }
  std::ranges::sort(all, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  });
  std::vector<std::pair<double, double>> front;
  for (const auto& point : all) {
    if (front.empty() || point.second > front.back().second) front.push_back(point);
  }
  return front;
}

void check_points(const std::vector<TradeOffPoint>& points, const AdditiveCost& cost,
                  const AdditiveCost& value, double max_cost) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    REQUIRE(points[i].cost == cost(points[i].arch));
    REQUIRE(points[i].value == value(points[i].arch));
    REQUIRE(points[i].cost <= max_cost);
    if (i > 0) {
      REQUIRE(points[i].cost > points[i - 1].cost);
      REQUIRE(points[i].value > points[i - 1].value);
    }
  }
}

}  // namespace

TEST_CASE("the trade-off of two sums equals that of the enumeration", "[space][property]") {
  const SearchSpace space = GENERATE(shipped_space("tiny"), test::small_bottleneck());
  for (std::uint64_t salt = 0; salt < 10; ++salt) {
    CAPTURE(salt);
    const AdditiveCost cost = scrambled(space, 2 * salt, 40);
    const AdditiveCost value = scrambled(space, 2 * salt + 1, 40);
    const double least = cost.minimum(space).cost;
    const double most = cost.maximum(space).cost;
    for (const double max_cost :
         {least, least + 0.3 * (most - least), most, std::numeric_limits<double>::infinity()}) {
      CAPTURE(max_cost);
      const auto points =
          additive_trade_off(space, cost, value, {.max_cost = max_cost, .cells = 0});
      check_points(points, cost, value, max_cost);
      std::vector<std::pair<double, double>> found;
      for (const TradeOffPoint& point : points) found.emplace_back(point.cost, point.value);
      CHECK(found == slow_front(space, cost, value, max_cost));
    }
  }
}

TEST_CASE("cells lose little value and never the cheapest arch", "[space][property]") {
  const SearchSpace space = shipped_space("mbv3_32px");
  const AdditiveCost cost = AdditiveCost::compile(
      space, kIo, [](const LayerSpec& spec) { return std::optional<double>(macs(spec)); });
  const AdditiveCost value = scrambled(space, 7, 1000);
  const double least = cost.minimum(space).cost;
  const double most = cost.maximum(space).cost;
  for (const double share : {0.0, 0.01, 0.2, 0.6}) {
    CAPTURE(share);
    const double max_cost = least + share * (most - least);
    const auto coarse = additive_trade_off(space, cost, value, {.max_cost = max_cost, .cells = 64});
    const auto fine = additive_trade_off(space, cost, value, {.max_cost = max_cost, .cells = 2048});
    check_points(coarse, cost, value, max_cost);
    REQUIRE_FALSE(coarse.empty());
    REQUIRE_FALSE(fine.empty());
    CHECK(coarse.front().cost == least);
    const double range = value.maximum(space).cost - value.minimum(space).cost;
    CHECK(coarse.back().value >= fine.back().value - 0.02 * range);
    // No random arch within the bound is better.
    core::Rng rng = test::test_rng(5);
    for (int i = 0; i < 2000; ++i) {
      const Arch arch = sample(space, rng);
      if (cost(arch) <= max_cost) REQUIRE(value(arch) <= fine.back().value);
    }
  }
}

TEST_CASE("without a limit the most valuable arch is found", "[space][property]") {
  const SearchSpace space = test::ofa_mbv3(1.0, {128, 160, 224});
  const AdditiveCost cost = scrambled(space, 1, 100);
  const AdditiveCost value = scrambled(space, 2, 100);
  const auto points = additive_trade_off(space, cost, value);
  CHECK(points.back().value == value.maximum(space).cost);
  CHECK(points.front().cost == cost.minimum(space).cost);
}

TEST_CASE("a trade-off knows no arch of unknown cost and none beyond the limit", "[space][unit]") {
  const SearchSpace space = shipped_space("tiny");
  const AdditiveCost value = scrambled(space, 3, 100);
  const AdditiveCost cost = scrambled(space, 4, 100);
  CHECK(
      additive_trade_off(space, cost, value, {.max_cost = cost.minimum(space).cost - 0.5}).empty());
  const auto no_five = AdditiveCost::compile(space, kIo, [](const LayerSpec& spec) {
    const auto* block = std::get_if<MbConvSpec>(&spec);
    return block != nullptr && block->kernel_size == 5 ? std::nullopt : std::optional(1.0);
  });
  const auto points = additive_trade_off(space, no_five, value);
  REQUIRE_FALSE(points.empty());
  for (const TradeOffPoint& point : points) CHECK_FALSE(std::isnan(no_five(point.arch)));
  const auto nothing = AdditiveCost::compile(
      space, kIo, [](const LayerSpec&) -> std::optional<double> { return std::nullopt; });
  CHECK(additive_trade_off(space, nothing, value, {.max_cost = 1.0}).empty());
}

TEST_CASE("a space of one point has a trade-off of one point", "[space][unit]") {
  const SearchSpace space =
      test::space_from("name: one\nresolutions: [16]\nstages:\n  - {width: 8}\n");
  const AdditiveCost cost = scrambled(space, 1, 10);
  const auto points = additive_trade_off(space, cost, cost);
  REQUIRE(points.size() == 1);
  CHECK(points.front().arch == largest(space));
}

TEST_CASE("a trade-off checks what it is given", "[space][error]") {
  const SearchSpace tiny = shipped_space("tiny");
  const AdditiveCost cost = scrambled(tiny, 1, 10);
  CHECK_THROWS_AS(additive_trade_off(tiny, cost, cost, {.cells = -1}), std::invalid_argument);
  CHECK_THROWS_AS(additive_trade_off(shipped_space("mbv3_32px"), cost, cost), BugError);
}

}  // namespace omnifit::space
