#include "space/additive_cost.hpp"

#include "core/error.hpp"
#include "space/costs.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace omnifit::space {
namespace {

using test::ofa_mbv3;
using test::shipped_space;
using test::test_rng;

constexpr TaskIo kIo{3, 10};

std::optional<double> macs_of(const LayerSpec& spec) { return static_cast<double>(macs(spec)); }

/// A cost without any order: small integers drawn from the unit's hash, negative ones included, so
/// that sums are exact and the extremes are not the largest and smallest arch.
std::optional<double> scrambled(const LayerSpec& spec) {
  return static_cast<double>(spec_hash(spec) % 2001) - 1000.0;
}

double plain_sum(const SearchSpace& space, const Arch& arch,
                 const std::function<std::optional<double>(const LayerSpec&)>& unit_cost) {
  double total = 0;
  for (const PlanUnit& unit : lower(space, arch, kIo).units) total += unit_cost(unit.spec).value();
  return total;
}

TEST_CASE("a compiled cost equals the sum over the plan", "[space][property]") {
  const std::vector<SearchSpace> spaces{shipped_space("mbv3_32px"), ofa_mbv3(1.0, {128, 160, 224}),
                                        test::ofa_resnet50({128, 224})};
  for (const SearchSpace& space : spaces) {
    const auto compiled_macs = AdditiveCost::compile(space, kIo, macs_of);
    const auto compiled = AdditiveCost::compile(space, kIo, scrambled, 0.5);
    CHECK(compiled_macs.missing().empty());
    core::Rng rng = test_rng(1);
    for (int i = 0; i < 500; ++i) {
      const Arch arch = sample(space, rng);
      CAPTURE(to_text(space, arch));
      REQUIRE(compiled_macs(arch) == static_cast<double>(macs(lower(space, arch, kIo))));
      REQUIRE(compiled(arch) == plain_sum(space, arch, scrambled) + 0.5);
    }
  }
}

TEST_CASE("a cost may depend on the resolution where the unit does not", "[space][property]") {
  const auto at = [](const LayerSpec& spec, int resolution_px) -> std::optional<double> {
    return static_cast<double>(spec_hash(spec) % 1001 * static_cast<std::uint64_t>(resolution_px));
  };
  const std::vector<SearchSpace> spaces{shipped_space("mbv3_32px"), ofa_mbv3(1.0, {128, 160, 224}),
                                        ofa_mbv3(1.0, {176}), test::ofa_resnet50({128, 224})};
  for (const SearchSpace& space : spaces) {
    std::map<std::pair<LayerSpec, int>, int> asked;
    const auto cost = AdditiveCost::compile_by_resolution(
        space, kIo,
        [&](const LayerSpec& spec, int resolution_px) {
          ++asked[{spec, resolution_px}];
          return at(spec, resolution_px);
        },
        0.25);
    for (const auto& entry : asked) REQUIRE(entry.second == 1);
    core::Rng rng = test_rng(8);
    for (int i = 0; i < 200; ++i) {
      const Arch arch = sample(space, rng);
      CAPTURE(to_text(space, arch));
      const NetworkPlan plan = lower(space, arch, kIo);
      double sum = 0.25;
      for (const PlanUnit& unit : plan.units) sum += at(unit.spec, plan.resolution_px).value();
      REQUIRE(cost(arch) == sum);
    }
  }
}

TEST_CASE("units without a cost at one resolution make only its archs unknown", "[space][unit]") {
  const SearchSpace space = ofa_mbv3(1.0, {128, 224});
  const auto cost = AdditiveCost::compile_by_resolution(
      space, kIo, [](const LayerSpec& spec, int resolution_px) -> std::optional<double> {
        if (resolution_px == 224 && spec_kind(spec) == std::string("linear")) return std::nullopt;
        return 1.0;
      });
  REQUIRE(cost.missing().size() == 1);
  CHECK(std::isnan(cost(largest(space))));
  CHECK(cost(smallest(space)) == 16.0);
  CHECK(cost.maximum(space).cost == 26.0);
}

TEST_CASE("terms over genes add up and are checked", "[space][unit]") {
  const SearchSpace space = test::shipped_space_with("ofa_mbv3", {"resolutions=[128, 160]"});
  const auto cost =
      AdditiveCost::from_terms(space, {{{0}, {1.0, 2.0}}, {{0, 1}, {1, 2, 3, 10, 20, 30}}}, 100.0);
  CHECK(cost(smallest(space)) == 102.0);
  CHECK(cost(largest(space)) == 132.0);
  CHECK(cost.minimum(space).cost == 102.0);
  CHECK(cost.missing().empty());
  CHECK_THROWS_WITH(AdditiveCost::from_terms(space, {{{0}, {1.0}}}),
                    "a term over those genes has 2 values, got 1");
  CHECK_THROWS_WITH(AdditiveCost::from_terms(space, {{{1, 0}, {}}}),
                    "genes of a term must ascend in [0, 46), got 0");
  CHECK_THROWS_AS(AdditiveCost::from_terms(space, {{{46}, {}}}), std::invalid_argument);
}

TEST_CASE("genes without effect reach no extreme", "[space][property]") {
  const SearchSpace space = shipped_space("tiny");
  std::vector<AdditiveCost::Term> terms;
  core::Rng rng = test_rng(9);
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    terms.push_back({.genes = {static_cast<int>(g)}, .values = {}});
    for (std::size_t c = 0; c < space.genes()[g].choices.size(); ++c) {
      terms.back().values.push_back(static_cast<double>(rng.below(21)) - 10.0);
    }
  }
  const auto cost = AdditiveCost::from_terms(space, terms);
  double least = INFINITY;
  double most = -INFINITY;
  for (const Arch& arch : enumerate(space)) {
    least = std::min(least, cost(arch));
    most = std::max(most, cost(arch));
  }
  CHECK(cost.minimum(space).cost == least);
  CHECK(cost.maximum(space).cost == most);
}

TEST_CASE("every distinct unit is asked for once", "[space][unit]") {
  const SearchSpace space = shipped_space("mbv3_32px");
  std::map<LayerSpec, int> asked;
  AdditiveCost::compile(space, kIo, [&](const LayerSpec& spec) {
    ++asked[spec];
    return macs_of(spec);
  });
  CHECK(asked.size() == distinct_units(space, kIo).size());
  CHECK(std::all_of(asked.begin(), asked.end(), [](const auto& unit) { return unit.second == 1; }));
}

TEST_CASE("extremes equal those of the enumeration", "[space][property]") {
  const SearchSpace space = GENERATE(shipped_space("tiny"), test::small_bottleneck());
  const std::vector<Arch> archs = enumerate(space);
  for (std::uint64_t salt = 0; salt < 50; ++salt) {
    const auto cost = AdditiveCost::compile(space, kIo, [&](const LayerSpec& spec) {
      core::Rng rng = core::Rng::stream(spec_hash(spec), core::Purpose::kTest, {salt});
      return std::optional(rng.uniform(-1.0, 1.0));
    });
    double least = INFINITY;
    double most = -INFINITY;
    for (const Arch& arch : archs) {
      least = std::min(least, cost(arch));
      most = std::max(most, cost(arch));
    }
    const auto minimum = cost.minimum(space);
    const auto maximum = cost.maximum(space);
    CAPTURE(salt);
    // Sums are formed in another order, so archs within rounding of each other may change places.
    CHECK(minimum.cost == Approx(least).margin(1e-12));
    CHECK(maximum.cost == Approx(most).margin(1e-12));
    CHECK(cost(minimum.arch) == minimum.cost);
    CHECK(cost(maximum.arch) == maximum.cost);
  }
}

TEST_CASE("extremes of a large space bound every arch", "[space][property]") {
  const SearchSpace space = ofa_mbv3(1.0, {128, 160, 192, 224});
  const auto cost = AdditiveCost::compile(space, kIo, scrambled, -7.0);
  const auto minimum = cost.minimum(space);
  const auto maximum = cost.maximum(space);
  CHECK(plain_sum(space, minimum.arch, scrambled) - 7.0 == minimum.cost);
  core::Rng rng = test_rng(2);
  for (int i = 0; i < 500; ++i) {
    const double value = cost(sample(space, rng));
    REQUIRE(value >= minimum.cost);
    REQUIRE(value <= maximum.cost);
  }
  // No single change improves an extreme.
  for (const Arch& arch : neighbours(space, minimum.arch)) REQUIRE(cost(arch) >= minimum.cost);
  for (const Arch& arch : neighbours(space, maximum.arch)) REQUIRE(cost(arch) <= maximum.cost);
  const auto of_macs = AdditiveCost::compile(space, kIo, macs_of);
  CHECK(of_macs.minimum(space).arch == smallest(space));
  CHECK(of_macs.maximum(space).arch == largest(space));
}

TEST_CASE("units without a cost make their archs unknown", "[space][unit]") {
  const SearchSpace space = shipped_space("tiny");
  const auto is_unknown = [](const LayerSpec& spec) {
    const auto* block = std::get_if<MbConvSpec>(&spec);
    return block != nullptr && block->kernel_size == 5;
  };
  const auto cost = AdditiveCost::compile(space, kIo, [&](const LayerSpec& spec) {
    return is_unknown(spec) ? std::nullopt : macs_of(spec);
  });
  std::vector<LayerSpec> expected;
  for (const LayerSpec& unit : distinct_units(space, kIo)) {
    if (is_unknown(unit)) expected.push_back(unit);
  }
  std::vector<LayerSpec> found = cost.missing();
  std::sort(found.begin(), found.end());
  std::sort(expected.begin(), expected.end());
  CHECK(found == expected);
  double most = 0;
  for (const Arch& arch : enumerate(space)) {
    const NetworkPlan plan = lower(space, arch, kIo);
    const bool unknown = std::any_of(plan.units.begin(), plan.units.end(),
                                     [&](const PlanUnit& unit) { return is_unknown(unit.spec); });
    CAPTURE(to_text(space, arch));
    REQUIRE(std::isnan(cost(arch)) == unknown);
    if (!unknown) most = std::max(most, cost(arch));
  }
  CHECK(cost.maximum(space).cost == most);
  CHECK(cost.minimum(space).arch == smallest(space));
}

TEST_CASE("a cost that knows no arch has no extremes", "[space][error]") {
  const SearchSpace space = shipped_space("tiny");
  for (const std::string kind : {"linear", "mbconv"}) {
    const auto cost = AdditiveCost::compile(space, kIo, [&](const LayerSpec& spec) {
      return spec_kind(spec) == kind ? std::nullopt : macs_of(spec);
    });
    CHECK_THROWS_AS(cost.minimum(space), StateError);
    CHECK_THROWS_WITH(cost.maximum(space), Catch::Matchers::ContainsSubstring(
                                               "no arch of space tiny/v1 has a known cost"));
  }
}

TEST_CASE("a space of one point has one cost", "[space][unit]") {
  const SearchSpace space =
      test::space_from("name: one\nresolutions: [16]\nstages:\n  - {width: 8}\n");
  const auto cost = AdditiveCost::compile(space, kIo, macs_of);
  const double expected = static_cast<double>(macs(lower(space, largest(space), kIo)));
  CHECK(cost(largest(space)) == expected);
  CHECK(cost.minimum(space).cost == expected);
  CHECK(cost.maximum(space).arch == largest(space));
}

TEST_CASE("a cost of another space is a bug", "[space][error]") {
  const SearchSpace tiny = shipped_space("tiny");
  const auto cost = AdditiveCost::compile(tiny, kIo, macs_of);
  CHECK_THROWS_AS(cost(largest(shipped_space("mbv3_32px"))), BugError);
  CHECK_THROWS_AS(cost.minimum(shipped_space("mbv3_32px")), BugError);
}

}  // namespace
}  // namespace omnifit::space
