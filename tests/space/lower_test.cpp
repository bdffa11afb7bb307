#include "space/lower.hpp"

#include "core/hash.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace omnifit::space {
namespace {

using test::ofa_mbv3;
using test::shipped_space;
using test::test_rng;

const Slot& slot_named(const std::vector<Slot>& slots, const std::string& name) {
  const auto found =
      std::find_if(slots.begin(), slots.end(), [&](const Slot& s) { return s.name == name; });
  REQUIRE(found != slots.end());
  return *found;
}

std::vector<std::string> spec_texts(const NetworkPlan& plan) {
  std::vector<std::string> texts;
  for (const PlanUnit& unit : plan.units) texts.push_back(spec_text(unit.spec));
  return texts;
}

TEST_CASE("the smallest tiny network is as written here", "[space][golden]") {
  const SearchSpace space = shipped_space("tiny");
  const NetworkPlan plan = lower(space, smallest(space), {1, 7});
  CHECK(plan.io == TaskIo{1, 7});
  CHECK(plan.resolution_px == 12);
  CHECK(spec_texts(plan) ==
        std::vector<std::string>{
            "conv in=1 out=8 k=3 s=2 px=12 act=h_swish bn=1 bias=0",
            "mbconv in=8 mid=8 out=8 k=3 s=1 px=6 act=relu se=0 expand=0 skip=1",
            "mbconv in=8 mid=8 out=8 k=3 s=1 px=6 act=relu se=0 expand=1 skip=1",
            "mbconv in=8 mid=16 out=16 k=3 s=2 px=6 act=h_swish se=8 expand=1 skip=0",
            "conv in=16 out=32 k=1 s=1 px=3 act=h_swish bn=1 bias=0", "pool c=32 px=3",
            "conv in=32 out=32 k=1 s=1 px=1 act=h_swish bn=0 bias=0", "linear in=32 out=7"});
  std::vector<int> slot_indices;
  for (const PlanUnit& unit : plan.units) slot_indices.push_back(unit.slot);
  CHECK(slot_indices == std::vector<int>{0, 1, 2, 4, 5, 6, 7, 8});
}

TEST_CASE("slots are named and ordered as in the reference's state dict", "[space][golden]") {
  const SearchSpace space = ofa_mbv3(1.0, {128, 224});
  const std::vector<Slot> found = slots(space, {});
  REQUIRE(found.size() == 26);
  CHECK(found[0].name == "first_conv");
  for (std::size_t n = 0; n < 21; ++n) CHECK(found[n + 1].name == "blocks." + std::to_string(n));
  CHECK(found[22].name == "final_expand_layer");
  CHECK(found[23].name == "pool");
  CHECK(found[24].name == "feature_mix_layer");
  CHECK(found[25].name == "classifier");
}

TEST_CASE("middle and squeeze-excite widths are the reference's", "[space][golden]") {
  struct Expected {
    int block;
    std::vector<int> mids;
    int se;
  };
  const std::vector<Expected> of_width_1{{0, {16}, 0},
                                         {1, {48, 64, 96}, 0},
                                         {2, {72, 96, 144}, 0},
                                         {5, {72, 96, 144}, 40},
                                         {6, {120, 160, 240}, 64},
                                         {9, {120, 160, 240}, 0},
                                         {10, {240, 320, 480}, 0},
                                         {13, {240, 320, 480}, 120},
                                         {14, {336, 448, 672}, 168},
                                         {17, {336, 448, 672}, 168},
                                         {18, {480, 640, 960}, 240}};
  const std::vector<Expected> of_width_1_2{{0, {24}, 0},
                                           {1, {72, 96, 144}, 0},
                                           {2, {96, 128, 192}, 0},
                                           {5, {96, 128, 192}, 48},
                                           {6, {144, 192, 288}, 72},
                                           {9, {144, 192, 288}, 0},
                                           {10, {288, 384, 576}, 0},
                                           {13, {288, 384, 576}, 144},
                                           {14, {408, 544, 816}, 208},
                                           {17, {408, 544, 816}, 208},
                                           {18, {576, 768, 1152}, 288}};
  for (const auto& [width_mult, table] :
       {std::pair{1.0, of_width_1}, std::pair{1.2, of_width_1_2}}) {
    const std::vector<Slot> found = slots(ofa_mbv3(width_mult, {224}), {});
    for (const Expected& expected : table) {
      CAPTURE(width_mult, expected.block);
      const Slot& slot = slot_named(found, "blocks." + std::to_string(expected.block));
      CHECK(slot.mid_channels == expected.mids);
      CHECK(std::get<MbConvSpec>(slot.largest).mid_channels == expected.mids.back());
      CHECK(std::get<MbConvSpec>(slot.largest).se_channels == expected.se);
    }
  }
}

TEST_CASE("shortcuts stand where the reference has them", "[space][golden]") {
  const std::set<int> without{1, 5, 9, 13, 17};
  const std::vector<Slot> found = slots(ofa_mbv3(1.0, {224}), {});
  for (int n = 0; n < 21; ++n) {
    CAPTURE(n);
    const auto& spec =
        std::get<MbConvSpec>(slot_named(found, "blocks." + std::to_string(n)).largest);
    CHECK(spec.shortcut == (without.count(n) == 0));
    CHECK(spec.expand == (n != 0));
  }
  // The other family's first block has equal widths only by chance of the width multiplier.
  const SearchSpace equal_widths = test::space_from(
      "name: s\nresolutions: [16]\nstem: {width: 16}\nstages:\n"
      "  - {width: 16, first_shortcut: false, depth: [2]}\n");
  const NetworkPlan plan = lower(equal_widths, largest(equal_widths), {});
  CHECK_FALSE(std::get<MbConvSpec>(plan.units[1].spec).shortcut);
  CHECK(std::get<MbConvSpec>(plan.units[2].spec).shortcut);
}

TEST_CASE("middle widths of the ResNet50 space are the reference's", "[space][golden]") {
  const std::vector<std::vector<std::vector<int>>> expected{
      {{32, 40, 48}, {40, 56, 64}, {56, 72, 88}},
      {{64, 80, 104}, {88, 104, 128}, {120, 144, 176}},
      {{136, 160, 208}, {168, 208, 256}, {232, 288, 360}},
      {{264, 328, 408}, {336, 408, 512}, {464, 576, 720}}};
  const std::vector<std::vector<int>> outputs{
      {168, 208, 256}, {336, 408, 512}, {664, 816, 1024}, {1328, 1640, 2048}};
  const SearchSpace space = test::ofa_resnet50({224});
  for (std::uint8_t width = 0; width < 3; ++width) {
    for (std::uint8_t ratio = 0; ratio < 3; ++ratio) {
      std::vector<std::uint8_t> choices;
      for (const Gene& gene : space.genes()) {
        choices.push_back(gene.axis == Axis::kWidthMult     ? width
                          : gene.axis == Axis::kExpandRatio ? ratio
                                                            : std::uint8_t{0});
      }
      const NetworkPlan plan = lower(space, Arch(space, choices), {});
      // Two stem layers, the pool, then 2, 2, 4 and 2 blocks.
      CHECK(output_shape(plan.units[0].spec).channels == (width == 2 ? 32 : 24));
      CHECK(output_shape(plan.units[1].spec).channels == std::vector<int>{40, 48, 64}[width]);
      for (std::size_t stage = 0; stage < 4; ++stage) {
        const std::size_t first = std::vector<std::size_t>{3, 5, 7, 11}[stage];
        const auto& block = std::get<BottleneckSpec>(plan.units[first].spec);
        CAPTURE(static_cast<int>(width), static_cast<int>(ratio), stage);
        CHECK(block.mid_channels == expected[stage][ratio][width]);
        CHECK(block.out_channels == outputs[stage][width]);
        CHECK(block.downsample == Downsample::kAvgPoolConv);
        CHECK(std::get<BottleneckSpec>(plan.units[first + 1].spec).downsample == Downsample::kNone);
      }
    }
  }
}

TEST_CASE("a bottleneck network is as written here", "[space][golden]") {
  const SearchSpace space = test::small_bottleneck();
  std::vector<std::string> texts;
  for (const PlanUnit& unit : lower(space, largest(space), {3, 10}).units) {
    texts.push_back(slots(space, {3, 10})[static_cast<std::size_t>(unit.slot)].name + ": " +
                    spec_text(unit.spec));
  }
  CHECK(texts == std::vector<std::string>{
                     "input_stem.0: conv in=3 out=8 k=3 s=2 px=20 act=relu bn=1 bias=0",
                     "input_stem.1: conv in=8 out=8 k=3 s=1 px=10 act=relu bn=1 bias=0 skip=1",
                     "input_stem.2: conv in=8 out=16 k=3 s=1 px=10 act=relu bn=1 bias=0",
                     "max_pool: maxpool c=16 k=3 s=2 px=10",
                     "blocks.0: bottleneck in=16 mid=16 out=16 k=3 s=1 px=5 act=relu "
                     "down=avgpool_conv",
                     "blocks.1: bottleneck in=16 mid=16 out=16 k=3 s=1 px=5 act=relu down=none",
                     "blocks.2: bottleneck in=16 mid=8 out=24 k=3 s=2 px=5 act=relu "
                     "down=avgpool_conv",
                     "blocks.3: bottleneck in=24 mid=8 out=24 k=3 s=1 px=3 act=relu down=none",
                     "pool: pool c=24 px=3", "classifier: linear in=24 out=10"});
}

TEST_CASE("a bottleneck stage that changes nothing passes its input on as it is",
          "[space][golden]") {
  const auto downsamples = [](const std::string& width_mult, const std::string& first_stage) {
    const SearchSpace space = test::space_from(
        "name: s\nfamily: bottleneck\nresolutions: [32]\nwidth_mult: " + width_mult +
        "\nstem: {width: 32}\nstages:\n  - {" + first_stage + ", depth: [2]}\n" +
        "  - {width: 32, depth: [1]}\n  - {width: 40, depth: [1]}\n");
    std::vector<Downsample> found;
    for (const PlanUnit& unit : lower(space, largest(space), {3, 10}).units) {
      const auto* block = std::get_if<BottleneckSpec>(&unit.spec);
      if (block != nullptr) found.push_back(block->downsample);
    }
    return found;
  };
  constexpr Downsample kNone = Downsample::kNone;
  constexpr Downsample kPool = Downsample::kAvgPoolConv;
  // After the stem of 32 channels, after the stage of 32; 40 channels are other ones.
  CHECK(downsamples("[1]", "width: 32") == std::vector{kNone, kNone, kNone, kPool});
  CHECK(downsamples("[1]", "width: 32, stride: 2") == std::vector{kPool, kNone, kNone, kPool});
  CHECK(downsamples("[1]", "width: 48") == std::vector{kPool, kNone, kPool, kPool});
  // Factors that round alike are one width; others may differ on both sides.
  CHECK(downsamples("[0.99, 1]", "width: 32") == std::vector{kNone, kNone, kNone, kPool});
  CHECK(downsamples("[0.5, 1]", "width: 32") == std::vector{kPool, kNone, kPool, kPool});
}

TEST_CASE("a stem without its residual layer has no slot for one", "[space][unit]") {
  const SearchSpace space = test::shipped_space_with("ofa_resnet50", {"stem.depth=[0]"});
  const std::vector<Slot> found = slots(space, {3, 10});
  CHECK(found.at(0).name == "input_stem.0");
  CHECK(found.at(1).name == "input_stem.2");
  CHECK(found.at(2).name == "max_pool");
  CHECK(lower(space, largest(space), {3, 10}).units.size() == found.size());
}

TEST_CASE("slots say what is elastic and what it depends on", "[space][unit]") {
  const SearchSpace space = shipped_space("tiny");
  const std::vector<Slot> found = slots(space, {});
  CHECK(slot_named(found, "first_conv").genes == std::vector<int>{0});
  CHECK(slot_named(found, "first_conv").kernel_sizes == std::vector<int>{3});
  CHECK(slot_named(found, "first_conv").mid_channels.empty());
  CHECK_FALSE(slot_named(found, "blocks.0").elastic);
  CHECK(slot_named(found, "blocks.0").mid_channels == std::vector<int>{8});
  CHECK(slot_named(found, "blocks.0").kernel_sizes == std::vector<int>{3});
  CHECK(slot_named(found, "blocks.1").genes == std::vector<int>{0, 2, 3});
  CHECK(slot_named(found, "blocks.2").genes == std::vector<int>{0, 1, 4, 5});
  CHECK(slot_named(found, "blocks.2").elastic);
  CHECK(slot_named(found, "blocks.2").kernel_sizes == std::vector<int>{3, 5});
  CHECK(slot_named(found, "blocks.2").mid_channels == std::vector<int>{8, 16});
  CHECK(slot_named(found, "pool").genes == std::vector<int>{0});
  CHECK(slot_named(found, "pool").kernel_sizes.empty());
  CHECK(slot_named(found, "feature_mix_layer").genes.empty());
  CHECK(slot_named(found, "classifier").genes.empty());
}

TEST_CASE("units chain and fit into their slots", "[space][property]") {
  for (const char* name : {"tiny", "mbv3_32px", "ofa_resnet50"}) {
    const SearchSpace space = shipped_space(name);
    const TaskIo io{3, 10};
    const std::vector<Slot> all = slots(space, io);
    core::Rng rng = test_rng(1);
    for (int i = 0; i < 200; ++i) {
      const NetworkPlan plan = lower(space, sample(space, rng), io);
      FeatureShape shape{io.in_channels, plan.resolution_px};
      int last_slot = -1;
      for (const PlanUnit& unit : plan.units) {
        CAPTURE(name, i, spec_text(unit.spec));
        REQUIRE(input_shape(unit.spec) == shape);
        REQUIRE(unit.slot > last_slot);
        last_slot = unit.slot;
        shape = output_shape(unit.spec);
        const Slot& slot = all[static_cast<std::size_t>(unit.slot)];
        REQUIRE(unit.spec.index() == slot.largest.index());
        REQUIRE(output_shape(unit.spec).channels <= output_shape(slot.largest).channels);
        REQUIRE(input_shape(unit.spec).channels <= input_shape(slot.largest).channels);
        if (const auto* block = std::get_if<MbConvSpec>(&unit.spec)) {
          REQUIRE(std::count(slot.mid_channels.begin(), slot.mid_channels.end(),
                             block->mid_channels) == 1);
          REQUIRE(std::count(slot.kernel_sizes.begin(), slot.kernel_sizes.end(),
                             block->kernel_size) == 1);
        }
      }
      REQUIRE(shape == FeatureShape{io.num_classes, 1});
    }
  }
}

TEST_CASE("a unit depends on the genes its slot lists and on no others", "[space][property]") {
  const SearchSpace space = GENERATE(shipped_space("tiny"), test::small_bottleneck());
  const std::vector<Slot> all = slots(space, {});
  const auto unit_in = [&](const Arch& arch, int slot) -> std::optional<LayerSpec> {
    for (const PlanUnit& unit : lower(space, arch, {}).units) {
      if (unit.slot == slot) return unit.spec;
    }
    return std::nullopt;
  };
  const std::vector<Arch> archs = enumerate(space);
  for (int slot = 0; slot < static_cast<int>(all.size()); ++slot) {
    std::map<std::vector<int>, std::optional<LayerSpec>> by_choices;
    for (const Arch& arch : archs) {
      std::vector<int> choices;
      for (const int gene : all[static_cast<std::size_t>(slot)].genes)
        choices.push_back(arch.choice(gene));
      const auto unit = unit_in(arch, slot);
      const auto [known, fresh] = by_choices.emplace(choices, unit);
      CAPTURE(slot, to_text(space, arch));
      REQUIRE((fresh || known->second == unit));
    }
  }
}

TEST_CASE("a static network has one slot per unit, renumbered", "[space][unit]") {
  const SearchSpace space = shipped_space("tiny");
  const NetworkPlan plan = lower(space, smallest(space), {});
  const std::vector<Slot> found = slots(plan, slots(space, {}));
  std::vector<std::string> names;
  for (const Slot& slot : found) {
    names.push_back(slot.name);
    CHECK_FALSE(slot.elastic);
    CHECK(slot.genes.empty());
  }
  CHECK(names == std::vector<std::string>{"first_conv", "blocks.0", "blocks.1", "blocks.2",
                                          "final_expand_layer", "pool", "feature_mix_layer",
                                          "classifier"});
  REQUIRE(found.size() == plan.units.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i].largest == plan.units[i].spec);
  CHECK(found[3].kernel_sizes == std::vector<int>{3});
  CHECK(found[3].mid_channels == std::vector<int>{16});
}

TEST_CASE("distinct units are those of all archs", "[space][property]") {
  const SearchSpace space = GENERATE(shipped_space("tiny"), test::small_bottleneck());
  std::set<LayerSpec> expected;
  for (const Arch& arch : enumerate(space)) {
    for (const PlanUnit& unit : lower(space, arch, {}).units) expected.insert(unit.spec);
  }
  const std::vector<LayerSpec> found = distinct_units(space, {});
  CHECK(std::set<LayerSpec>(found.begin(), found.end()) == expected);
  CHECK(found.size() == expected.size());
  CHECK(spec_kind(found.front()) == std::string("conv"));
  CHECK(spec_kind(found.back()) == std::string("linear"));
}

TEST_CASE("the units fingerprint is about shapes, not names", "[space][golden]") {
  const std::string yaml =
      "resolutions: [16]\nstages:\n  - {width: 8, depth: [1, 2], kernel_size: [3, 5]}\n";
  const SearchSpace first = test::space_from("name: a\n" + yaml);
  const SearchSpace renamed = test::space_from("name: b\ndropout: 0.5\n" + yaml);
  const SearchSpace wider = test::space_from("name: a\nwidth_mult: 2.0\n" + yaml);
  CHECK(units_fingerprint(first) == units_fingerprint(renamed));
  CHECK(units_fingerprint(first) != units_fingerprint(wider));
  CHECK(core::hex64(units_fingerprint(shipped_space("tiny"))) == "01368ea4dbb526e2");
  CHECK(core::hex64(units_fingerprint(shipped_space("mbv3_32px"))) == "7d068032a71491a0");
}

TEST_CASE("a task without channels or classes is refused", "[space][error]") {
  const SearchSpace space = shipped_space("tiny");
  CHECK_THROWS_WITH(lower(space, largest(space), {0, 10}),
                    "in_channels must be in [1, 4096], got 0");
  CHECK_THROWS_WITH(lower(space, largest(space), {3, 0}),
                    "num_classes must be in [1, 10000000], got 0");
  CHECK_THROWS_WITH(lower(space, largest(space), {4097, 10}),
                    "in_channels must be in [1, 4096], got 4097");
  CHECK_THROWS_WITH(lower(space, largest(space), {3, 10'000'001}),
                    "num_classes must be in [1, 10000000], got 10000001");
}

}  // namespace
}  // namespace omnifit::space
