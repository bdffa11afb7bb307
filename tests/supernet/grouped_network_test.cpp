#include "supernet/grouped_network.hpp"

#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/supernet/network_support.hpp"

#include <torch/csrc/autograd/grad_mode.h>

using namespace omnifit;
using namespace omnifit::supernet;

namespace {

StaticParts standalone(const Supernet& network, const space::SearchSpace& space,
                       const space::Arch& arch) {
  const at::NoGradGuard no_grad;
  const Supernet::Impl& impl = network.impl();
  StaticParts parts;
  parts.plan = space::lower(space, arch, network.io());
  const std::vector<UnitWeights> weights = impl.weights(parts.plan);
  const at::Tensor images =
      test::random_images(6, network.io().in_channels, parts.plan.resolution_px, 1);
  parts.weights =
      fold(weights, calibrate(parts.plan, weights, {images}, impl.norm_eps), impl.norm_eps);
  return parts;
}

}  // namespace

TEST_CASE("Groups of images give what the whole batch gives", "[supernet][property][evaluation]") {
  const auto* const name = GENERATE("tiny", "mbv3_32px");
  const space::SearchSpace space = test::shipped_space(name);
  Supernet network(space, {3, 10}, 7);
  test::disturb(network);
  core::Rng rng = core::Rng::stream(13, core::Purpose::kTest);
  for (int i = 0; i < 4; ++i) {
    const space::Arch arch = i == 0 ? space::largest(space) : space::sample(space, rng);
    CAPTURE(space::to_text(space, arch));
    const StaticParts parts = standalone(network, space, arch);
    // Not a multiple of any group.
    const at::Tensor images = test::random_images(23, 3, parts.plan.resolution_px, 3);
    const at::NoGradGuard no_grad;
    const at::Tensor expected = execute(parts.plan, parts.weights, images, {});
    for (const std::int64_t group_floats :
         {std::int64_t{1}, std::int64_t{1} << 13, GroupedNetwork::kGroupFloats}) {
      CAPTURE(group_floats);
      const at::Tensor found = GroupedNetwork(parts, group_floats).forward(images);
      REQUIRE(found.sizes() == expected.sizes());
      CHECK(test::relative_difference(found, expected) < 1e-5);
    }
  }
}

TEST_CASE("Groups grow as activations shrink", "[supernet][unit][evaluation]") {
  const space::SearchSpace space = test::shipped_space("mbv3_32px");
  const Supernet network(space, {3, 10}, 7);
  const StaticParts parts = standalone(network, space, space::largest(space));
  const GroupedNetwork grouped(parts, 1 << 15);
  REQUIRE(grouped.segments().size() > 1);
  std::size_t units = 0;
  std::int64_t previous = 0;
  for (const GroupedNetwork::Segment& segment : grouped.segments()) {
    CHECK(segment.images > previous);
    previous = segment.images;
    for (const space::PlanUnit& unit : segment.parts.plan.units) {
      CHECK((unit == parts.plan.units[units++]));
      for (const space::Op& op : space::ops(unit.spec)) {
        const std::int64_t of_image = std::int64_t{op.out.channels} * op.out.px * op.out.px;
        CHECK((segment.images == 1 || segment.images * of_image <= 1 << 15));
      }
    }
  }
  CHECK(units == parts.plan.units.size());
  const GroupedNetwork one_by_one(parts, 1);
  REQUIRE(one_by_one.segments().size() == 1);
  CHECK(one_by_one.segments()[0].images == 1);
}

TEST_CASE("A convolution and what activates it are in one segment",
          "[supernet][unit][evaluation]") {
  const auto* const name = GENERATE("tiny", "mbv3_32px");
  const space::SearchSpace space = test::shipped_space(name);
  const Supernet network(space, {3, 10}, 7);
  const StaticParts whole = standalone(network, space, space::largest(space));
  const auto num_units = static_cast<std::ptrdiff_t>(whole.plan.units.size());
  // Every beginning of the network: the units that follow decide on the groups as well.
  for (std::ptrdiff_t units = 2; units <= num_units; ++units) {
    StaticParts parts;
    parts.plan = {whole.plan.io, whole.plan.resolution_px, {}};
    parts.plan.units.assign(whole.plan.units.begin(), whole.plan.units.begin() + units);
    parts.weights.assign(whole.weights.begin(), whole.weights.begin() + units);
    for (std::int64_t group_floats = 1 << 8; group_floats <= 1 << 19; group_floats *= 2) {
      const GroupedNetwork grouped(parts, group_floats);
      for (std::size_t i = 0; i + 1 < grouped.segments().size(); ++i) {
        CAPTURE(name, units, group_floats, i);
        const space::PlanUnit& last = grouped.segments()[i].parts.plan.units.back();
        CHECK_FALSE(std::holds_alternative<space::ConvSpec>(last.spec));
      }
    }
  }
}
