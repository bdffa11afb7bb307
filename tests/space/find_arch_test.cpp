#include "space/find_arch.hpp"

#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

using Catch::Matchers::Equals;
using namespace omnifit;
using namespace omnifit::space;

namespace {

const TaskIo kIo{.in_channels = 3, .num_classes = 10};

NotInSpace miss(const SearchSpace& space, const NetworkPlan& plan) {
  const auto found = find_arch(space, plan);
  REQUIRE(std::holds_alternative<NotInSpace>(found));
  return std::get<NotInSpace>(found);
}

/// Units of `plan` from `first` on, without `count` of them; later inputs keep their sizes.
NetworkPlan without(NetworkPlan plan, int first, int count) {
  plan.units.erase(plan.units.begin() + first, plan.units.begin() + first + count);
  return plan;
}

MbConvSpec& block(NetworkPlan& plan, int unit) {
  return std::get<MbConvSpec>(plan.units.at(static_cast<std::size_t>(unit)).spec);
}

}  // namespace

TEST_CASE("every arch of the tiny space is found from its plan", "[space][property]") {
  const SearchSpace space = test::shipped_space("tiny");
  std::vector<std::uint8_t> choices(space.genes().size(), 0);
  const auto next = [&] {
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (++choices[i] < space.genes()[i].choices.size()) return true;
      choices[i] = 0;
    }
    return false;
  };
  do {
    const Arch arch(space, choices);
    const auto found = find_arch(space, lower(space, arch, kIo));
    REQUIRE(std::holds_alternative<Arch>(found));
    CHECK(std::get<Arch>(found) == arch);
  } while (next());
}

TEST_CASE("archs of the reference's spaces are found from their plans", "[space][property]") {
  const SearchSpace space =
      GENERATE(test::ofa_mbv3(1.2, {160, 176, 224}), test::ofa_proxyless(1.3, {128, 132}),
               test::shipped_space("mbv3_32px"));
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(space.name(), seed);
    core::Rng rng = test::test_rng(seed);
    const Arch arch = sample(space, rng);
    NetworkPlan plan = lower(space, arch, kIo);
    for (PlanUnit& unit : plan.units) unit.slot = 0;  // slots are not looked at
    const auto found = find_arch(space, plan);
    REQUIRE(std::holds_alternative<Arch>(found));
    CHECK(std::get<Arch>(found) == arch);
  }
}

TEST_CASE("a plan of one space is not found in another", "[space][unit]") {
  const SearchSpace narrow = test::ofa_mbv3(1.0, {224});
  const SearchSpace wide = test::ofa_mbv3(1.2, {224});
  const NotInSpace no = miss(narrow, lower(wide, largest(wide), kIo));
  CHECK_THAT(no.reason, Equals("out=24 (the space has 16)"));
  CHECK(no.unit == 0);
  CHECK(no.matched_units == 0);

  const SearchSpace proxyless = test::ofa_proxyless(1.0, {224});
  const NotInSpace kind = miss(narrow, lower(proxyless, largest(proxyless), kIo));
  CHECK_THAT(kind.reason, Equals("out=32 (the space has 16), act=relu6 (the space has h_swish)"));
}

TEST_CASE("the reason names the first unit that no subnet has", "[space][unit]") {
  const SearchSpace space = test::ofa_mbv3(1.0, {160, 224});
  const NetworkPlan plan =
      lower(space, test::uniform_arch(space, 224, 5, 4, 3), kIo);  // units 2-4 are stage 1

  SECTION("kernel size") {
    NetworkPlan other = plan;
    block(other, 3).kernel_size = 9;
    const NotInSpace no = miss(space, other);
    CHECK_THAT(no.reason, Equals("k=9 (the space has 3, 5, 7)"));
    CHECK(no.unit == 3);
    CHECK(no.matched_units == 3);
  }
  SECTION("middle width") {
    NetworkPlan other = plan;
    block(other, 3).mid_channels = 104;
    CHECK_THAT(miss(space, other).reason, Equals("mid=104 (the space has 144, 72, 96)"));
  }
  SECTION("a stage that is too long") {
    NetworkPlan other = plan;
    other.units.insert(other.units.begin() + 4, 2, other.units[4]);
    const NotInSpace no = miss(space, other);
    CHECK_THAT(no.reason,
               Equals("one block more than the stage may have (the space has depth 2, 3, 4)"));
    CHECK(no.unit == 6);
  }
  SECTION("a stage that is too short") {
    const NotInSpace no = miss(space, without(plan, 3, 2));
    CHECK_THAT(no.reason, Equals("the stage before has fewer blocks than it may have (the space "
                                 "has depth 2, 3, 4)"));
    CHECK(no.unit == 3);
  }
  SECTION("another kind of unit") {
    const NotInSpace no = miss(space, without(plan, static_cast<int>(plan.units.size()) - 4, 1));
    CHECK_THAT(no.reason, Equals("pool where the space has conv, mbconv"));
  }
  SECTION("resolution") {
    const SearchSpace other = test::ofa_mbv3(1.0, {160, 192});
    const NotInSpace no = miss(other, plan);
    CHECK_THAT(no.reason, Equals("resolution 224 px (the space has 160, 192)"));
    CHECK(no.unit == -1);
    CHECK(no.matched_units == static_cast<int>(plan.units.size()));
  }
  SECTION("the end comes early") {
    const int last = static_cast<int>(plan.units.size()) - 1;
    const NotInSpace no = miss(space, without(plan, last, 1));
    CHECK_THAT(no.reason, Equals(fmt::format("the network ends after {} units, where the space has "
                                             "'linear in=1280 out=10'",
                                             last)));
    CHECK(no.unit == -1);
  }
  SECTION("the end comes late") {
    NetworkPlan other = plan;
    other.units.push_back(other.units.back());
    CHECK_THAT(miss(space, other).reason,
               Equals("the network goes on where every subnet of the space ends"));
  }
  SECTION("values that are allowed, but not together") {
    NetworkPlan other = plan;
    // 72 channels are the first block's choice of ratio 3 and 144 the others' of ratio 6.
    block(other, 3).shortcut = false;
    CHECK_THAT(miss(space, other).reason, Equals("skip=0 (the space has 1)"));
  }
}

TEST_CASE("the depths in a reason are those of the stage in question", "[space][unit]") {
  // No gene but depth says where a stage begins.
  const SearchSpace space = test::space_from(
      "name: s\nresolutions: [16]\nstem: {width: 8}\nstages:\n"
      "  - {width: 16, depth: [1, 5]}\n  - {width: 24, depth: [2, 3]}\n"
      "  - {width: 32, depth: [2]}\n  - {width: 40, depth: [1, 4]}\n");
  const NetworkPlan plan = lower(space, smallest(space), kIo);  // 1 + 1 + 2 + 2 + 1 blocks

  const auto reason = [&](int first, int erased, int inserted) {
    NetworkPlan other = plan;
    const auto at = other.units.begin() + first;
    if (erased > 0) other.units.erase(at, at + erased);
    if (inserted > 0) other.units.insert(at, static_cast<std::size_t>(inserted), *at);
    return miss(space, other).reason;
  };
  const std::string longer = "one block more than the stage may have (the space has depth ";
  const std::string shorter =
      "the stage before has fewer blocks than it may have (the space has depth ";
  CHECK_THAT(reason(3, 0, 2), Equals(longer + "2, 3)"));
  CHECK_THAT(reason(3, 1, 0), Equals(shorter + "2, 3)"));
  CHECK_THAT(reason(5, 0, 1), Equals(longer + "2)"));
  CHECK_THAT(reason(5, 1, 0), Equals(shorter + "2)"));
}

TEST_CASE("stages of equal shapes do not make the search long", "[space][unit]") {
  std::string yaml =
      "name: alike\nresolutions: [16]\n"
      "stem: {name: first_conv, width: 8, kernel_size: 3, stride: 1, act: relu}\nstages:\n";
  for (int stage = 0; stage < 12; ++stage) {
    yaml += "  - {width: 8, act: relu, depth: [1, 2, 3, 4], kernel_size: [3], expand_ratio: [2]}\n";
  }
  const SearchSpace space =
      test::space_from(yaml + "head:\n  - {name: feature_mix_layer, width: 16, act: relu}\n");
  // 30 blocks fall on 12 stages of 1 to 4 in a million ways.
  NetworkPlan plan = lower(space, smallest(space), kIo);
  plan.units.insert(plan.units.begin() + 2, 18, plan.units[2]);
  const auto found = find_arch(space, plan);
  REQUIRE(std::holds_alternative<Arch>(found));
  CHECK(depth(space, std::get<Arch>(found), 0) == 1);
  CHECK(depth(space, std::get<Arch>(found), 11) == 4);

  std::get<ConvSpec>(plan.units[31].spec).act = Act::kRelu6;
  CHECK_THAT(miss(space, plan).reason, Equals("act=relu6 (the space has relu)"));
}
