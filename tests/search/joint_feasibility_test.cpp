#include "search/joint_feasibility.hpp"

#include "core/rng.hpp"
#include "search/detail/matrix_game.hpp"
#include "space/costs.hpp"
#include "space/sampling.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <vector>

namespace omnifit::search {
namespace {

using Catch::Matchers::ContainsSubstring;

core::Rng test_rng(std::uint64_t seed) { return core::Rng::stream(seed, core::Purpose::kTest); }

/// Random tables over single genes and neighbouring pairs; any sign, so that costs pull against
/// each other.
space::AdditiveCost random_cost(const space::SearchSpace& space, core::Rng& rng,
                                bool some_unknown = false) {
  std::vector<space::AdditiveCost::Term> terms;
  const auto num_genes = static_cast<int>(space.genes().size());
  const auto count = [&](int gene) {
    return space.genes()[static_cast<std::size_t>(gene)].choices.size();
  };
  for (int gene = 0; gene < num_genes; ++gene) {
    auto& term = terms.emplace_back();
    term.genes = {gene};
    std::size_t size = count(gene);
    if (gene + 1 < num_genes && rng.bernoulli(0.5)) {
      term.genes.push_back(gene + 1);
      size *= count(gene + 1);
    }
    for (std::size_t i = 0; i < size; ++i) term.values.push_back(rng.uniform(-1.0, 1.0));
  }
  if (some_unknown) terms.back().values.back() = std::numeric_limits<double>::quiet_NaN();
  return space::AdditiveCost::from_terms(space, terms, 20.0);
}

bool kept(const std::vector<AdditiveLimit>& limits, const space::Arch& arch) {
  return std::ranges::all_of(
      limits, [&](const AdditiveLimit& limit) { return limit.kept_by((*limit.cost)(arch)); });
}

/// Every cost a limit somewhere between its extremes; upper and lower ones.
std::vector<AdditiveLimit> random_limits(const space::SearchSpace& space,
                                         const std::vector<space::AdditiveCost>& costs,
                                         core::Rng& rng) {
  std::vector<AdditiveLimit> limits;
  for (const space::AdditiveCost& cost : costs) {
    const double low = cost.minimum(space).cost;
    const double high = cost.maximum(space).cost;
    const bool at_least = rng.bernoulli(0.3);
    const double share = rng.uniform(0.05, 0.5);
    limits.push_back(
        {&cost, at_least ? high - share * (high - low) : low + share * (high - low), at_least});
  }
  return limits;
}

}  // namespace

TEST_CASE("a game of two players has the value that weights and mixture prove", "[search][unit]") {
  const std::vector<std::vector<double>> pennies{{1.0, -1.0}, {-1.0, 1.0}};
  const detail::GameSolution even = detail::solve_game(pennies);
  CHECK(even.value == Approx(0.0).margin(1e-12));
  CHECK(even.weights[0] == Approx(0.5));
  CHECK(even.mix[0] == Approx(0.5));

  core::Rng rng = test_rng(1);
  for (int trial = 0; trial < 100; ++trial) {
    const std::size_t rows = 1 + rng.below(5);
    std::vector<std::vector<double>> columns(1 + rng.below(40));
    for (auto& column : columns) {
      for (std::size_t i = 0; i < rows; ++i) column.push_back(rng.uniform(-3.0, 10.0));
    }
    const detail::GameSolution game = detail::solve_game(columns);
    double least = std::numeric_limits<double>::infinity();
    std::vector<double> mixture(rows, 0.0);
    for (std::size_t j = 0; j < columns.size(); ++j) {
      double sum = 0.0;
      for (std::size_t i = 0; i < rows; ++i) {
        sum += game.weights[i] * columns[j][i];
        mixture[i] += game.mix[j] * columns[j][i];
      }
      least = std::min(least, sum);
    }
    // Both players can hold it, so neither can do better.
    CHECK(least == Approx(game.value).margin(1e-9));
    CHECK(std::ranges::max(mixture) == Approx(game.value).margin(1e-9));
  }
}

TEST_CASE("what is said of several limits is true of every arch", "[search][property]") {
  const auto space = test::load_space("tiny");
  const std::vector<space::Arch> all = space::enumerate(space);
  int num_infeasible = 0;
  for (std::uint64_t trial = 0; trial < 120; ++trial) {
    core::Rng rng = test_rng(100 + trial);
    std::vector<space::AdditiveCost> costs;
    const std::size_t count = 2 + rng.below(3);
    for (std::size_t i = 0; i < count; ++i) {
      costs.push_back(random_cost(space, rng, trial % 5 == 0 && i == 0));
    }
    const std::vector<AdditiveLimit> limits = random_limits(space, costs, rng);
    const bool possible =
        std::ranges::any_of(all, [&](const space::Arch& arch) { return kept(limits, arch); });
    const JointFeasibility said = decide_feasibility(space, limits);
    CAPTURE(trial);
    REQUIRE(said.state == (possible ? Feasibility::kFeasible : Feasibility::kInfeasible));
    if (possible) {
      REQUIRE(said.witness.has_value());
      CHECK(kept(limits, *said.witness));
      CHECK(said.conflict.empty());
      continue;
    }
    ++num_infeasible;
    std::vector<AdditiveLimit> named;
    for (const std::size_t i : said.conflict) named.push_back(limits.at(i));
    REQUIRE_FALSE(named.empty());
    CHECK(std::ranges::none_of(all, [&](const space::Arch& arch) { return kept(named, arch); }));
  }
  CHECK(num_infeasible > 30);
  CHECK(num_infeasible < 100);
}

TEST_CASE("limits that an arch keeps are never called impossible", "[search][property]") {
  const auto space = test::load_space("mbv3_32px");
  for (std::uint64_t trial = 0; trial < 6; ++trial) {
    core::Rng rng = test_rng(300 + trial);
    std::vector<space::AdditiveCost> costs;
    for (int i = 0; i < 3; ++i) costs.push_back(random_cost(space, rng));
    const space::Arch arch = space::sample(space, rng);
    std::vector<AdditiveLimit> limits;
    for (const space::AdditiveCost& cost : costs) limits.push_back({&cost, cost(arch)});
    const JointFeasibility said = decide_feasibility(space, limits);
    CHECK(said.state == Feasibility::kFeasible);
    REQUIRE(said.witness.has_value());
    CHECK(kept(limits, *said.witness));
  }
}

TEST_CASE("a conflict names the limits that are needed for it and how near one can get",
          "[search][property]") {
  const auto space = test::load_space("tiny");
  const std::vector<space::Arch> all = space::enumerate(space);
  int num_conflicts = 0;
  for (std::uint64_t trial = 0; trial < 40; ++trial) {
    core::Rng rng = test_rng(500 + trial);
    std::vector<space::AdditiveCost> costs;
    for (int i = 0; i < 3; ++i) costs.push_back(random_cost(space, rng));
    const std::vector<AdditiveLimit> limits = random_limits(space, costs, rng);
    const auto conflict = find_conflict(space, limits);
    const bool possible =
        std::ranges::any_of(all, [&](const space::Arch& arch) { return kept(limits, arch); });
    REQUIRE(conflict.has_value() == !possible);
    if (!conflict) continue;
    ++num_conflicts;
    CHECK(conflict->nearest.size() == conflict->limits.size());
    for (const NearestLimit& nearest : conflict->nearest) {
      // Exhaustively: the best of this cost among the archs that keep the other limits.
      const AdditiveLimit& limit = limits[nearest.limit];
      std::optional<double> best;
      for (const space::Arch& arch : all) {
        const bool others = std::ranges::all_of(conflict->limits, [&](std::size_t i) {
          return i == nearest.limit || limits[i].kept_by((*limits[i].cost)(arch));
        });
        if (!others) continue;
        const double cost = (*limit.cost)(arch);
        if (!best || (limit.at_least ? cost > *best : cost < *best)) best = cost;
      }
      REQUIRE(best.has_value());  // the rest can be kept
      CHECK_FALSE(limit.kept_by(nearest.reached));
      CHECK((*limit.cost)(nearest.arch) == nearest.reached);
      CHECK(std::abs(nearest.reached - *best) <= 0.011 * std::abs(nearest.reached));
    }
  }
  CHECK(num_conflicts > 10);
}

TEST_CASE("few MACs and many parameters exclude each other in a large space", "[search][unit]") {
  const auto space = test::load_space("ofa_mbv3");
  const space::TaskIo io{3, 1000};
  const auto of_units = [&](auto count) {
    return space::AdditiveCost::compile(space, io, [count](const space::LayerSpec& spec) {
      return std::optional(static_cast<double>(count(spec)));
    });
  };
  const auto macs = of_units([](const space::LayerSpec& spec) { return space::macs(spec); });
  const auto params =
      of_units([](const space::LayerSpec& spec) { return space::params_count(spec); });
  const double most = params.maximum(space).cost;
  const std::vector<AdditiveLimit> impossible{{&macs, 1.1 * macs.minimum(space).cost, false},
                                              {&params, 0.9 * most, true}};
  const auto conflict = find_conflict(space, impossible);
  REQUIRE(conflict.has_value());
  CHECK(conflict->limits == std::vector<std::size_t>{0, 1});
  REQUIRE(conflict->nearest.size() == 2);
  CHECK(conflict->nearest[0].reached > impossible[0].value);
  CHECK(conflict->nearest[0].reached < macs.maximum(space).cost);
  CHECK(conflict->nearest[1].reached < 0.9 * most);
  CHECK(macs(conflict->nearest[1].arch) <= impossible[0].value);
}

TEST_CASE("a limit that excludes itself is the whole conflict", "[search][unit]") {
  const auto space = test::load_space("tiny");
  core::Rng rng = test_rng(7);
  const space::AdditiveCost a = random_cost(space, rng);
  const space::AdditiveCost b = random_cost(space, rng);
  const auto low = a.minimum(space);
  const std::vector<AdditiveLimit> limits{{&b, b.maximum(space).cost, false},
                                          {&a, low.cost - 0.5, false}};
  const auto conflict = find_conflict(space, limits);
  REQUIRE(conflict.has_value());
  CHECK(conflict->limits == std::vector<std::size_t>{1});
  REQUIRE(conflict->nearest.size() == 1);
  CHECK(conflict->nearest[0].reached == low.cost);
}

TEST_CASE("limits that are no numbers are refused", "[search][error]") {
  const auto space = test::load_space("tiny");
  core::Rng rng = test_rng(8);
  const space::AdditiveCost cost = random_cost(space, rng);
  CHECK_THROWS_WITH(decide_feasibility(space, {}), "feasibility: no limits");
  const std::vector<AdditiveLimit> nan{{&cost, std::nan(""), false}};
  CHECK_THROWS_WITH(decide_feasibility(space, nan), ContainsSubstring("must be finite numbers"));
  CHECK_THROWS_AS(find_conflict(space, nan), std::invalid_argument);
}

}  // namespace omnifit::search
