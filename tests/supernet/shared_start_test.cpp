#include "supernet/shared_start.hpp"

#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "supernet/evaluation.hpp"
#include "tests/supernet/network_support.hpp"

using namespace omnifit;
using namespace omnifit::supernet;

TEST_CASE("Plans share the units up to the first that differs or is not exact",
          "[supernet][unit][evaluation]") {
  const space::SearchSpace space = test::shipped_space("mbv3_32px");
  const space::TaskIo io{3, 10};
  const space::NetworkPlan largest = space::lower(space, space::largest(space), io);
  std::vector<space::NetworkPlan> plans{largest};
  CHECK(shared_units(plans) == 0);
  plans.push_back(largest);
  // All but the last stage, which has squeeze-excite.
  std::size_t exact = 0;
  for (const space::PlanUnit& unit : largest.units) {
    const auto* block = std::get_if<space::MbConvSpec>(&unit.spec);
    if (block != nullptr && block->se_channels > 0) break;
    ++exact;
  }
  REQUIRE(exact > 2);
  CHECK(shared_units(plans) == exact);
  std::get<space::MbConvSpec>(plans[1].units[2].spec).kernel_size = 3;
  REQUIRE(plans[1].units[2] != plans[0].units[2]);
  CHECK(shared_units(plans) == 2);

  SECTION("a convolution alone is not shared: its activation belongs to what reads it") {
    plans[1] = largest;
    std::get<space::MbConvSpec>(plans[1].units[1].spec).kernel_size = 5;
    REQUIRE(plans[1].units[0] == plans[0].units[0]);
    CHECK(shared_units(plans) == 0);
    const space::SearchSpace bottlenecks = test::shipped_space("ofa_resnet50");
    const space::NetworkPlan resnet = space::lower(bottlenecks, space::largest(bottlenecks), io);
    CHECK(shared_units(std::vector{resnet, resnet}) == 0);
  }
  SECTION("what LibTorch would run is not shared") {
    for (space::NetworkPlan& plan : plans) {
      plan = largest;
      std::get<space::MbConvSpec>(plan.units[2].spec).kernel_size = 9;
    }
    CHECK(shared_units(plans) == 2);
    for (space::NetworkPlan& plan : plans) {
      auto& stem = std::get<space::ConvSpec>(plan.units[0].spec);
      stem.kernel_size = 1;
      stem.stride = 1;
    }
    CHECK(shared_units(plans) == 0);
  }
}

TEST_CASE("Subnets are measured as if alone, bit for bit, whoever shares their start",
          "[supernet][property][evaluation]") {
  const auto* const name = GENERATE("tiny", "mbv3_32px");
  const space::SearchSpace space = test::shipped_space(name);
  Supernet network(space, {3, 4}, 7);
  test::disturb(network);
  const Dataset data = test::toy_dataset(40, 32, 3);
  const SubnetEvaluator evaluator(network, space, data);
  core::Rng rng = core::Rng::stream(17, core::Purpose::kTest);
  EvalOptions options;
  options.calibration_images = 40;
  options.batch_size = 16;
  options.threads = 2;
  std::size_t most_shared = 0;
  for (const std::size_t num_archs : {2, 3, 8}) {
    std::vector<space::Arch> archs;
    std::map<int, std::vector<space::NetworkPlan>> plans;
    for (std::size_t i = 0; i < num_archs; ++i) {
      archs.push_back(space::sample(space, rng));
      space::NetworkPlan plan = space::lower(space, archs.back(), network.io());
      plans[plan.resolution_px].push_back(std::move(plan));
    }
    for (const auto& [px, group] : plans) most_shared = std::max(most_shared, shared_units(group));
    const auto together = evaluator.evaluate(archs, Split::kTest, options);
    for (std::size_t i = 0; i < archs.size(); ++i) {
      CAPTURE(num_archs, space::to_text(space, archs[i]));
      const auto alone = evaluator.evaluate(std::span(archs).subspan(i, 1), Split::kTest, options);
      CHECK(together[i].loss == alone[0].loss);
      CHECK(together[i].top1 == alone[0].top1);
    }
  }
  CHECK(most_shared >= 2);
}
