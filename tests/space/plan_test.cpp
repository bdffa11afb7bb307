#include "space/plan.hpp"

#include "core/error.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <set>
#include <stdexcept>

namespace omnifit::space {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("activations have names", "[space][unit]") {
  for (const Act act : {Act::kNone, Act::kRelu, Act::kRelu6, Act::kHSwish}) {
    CHECK(parse_act(act_name(act)) == act);
  }
  CHECK(act_name(Act::kHSwish) == "h_swish");
  CHECK_THROWS_AS(parse_act("gelu"), std::invalid_argument);
  CHECK_THROWS_WITH(parse_act("gelu"), "act must be one of none, relu, relu6, h_swish; got 'gelu'");
}

TEST_CASE("spec texts are stable", "[space][golden]") {
  CHECK(spec_text(ConvSpec{.in_channels = 3,
                           .out_channels = 16,
                           .kernel_size = 3,
                           .stride = 2,
                           .in_px = 32,
                           .act = Act::kHSwish}) ==
        "conv in=3 out=16 k=3 s=2 px=32 act=h_swish bn=1 bias=0");
  CHECK(spec_text(MbConvSpec{.in_channels = 24,
                             .mid_channels = 72,
                             .out_channels = 24,
                             .in_px = 16,
                             .act = Act::kRelu,
                             .shortcut = true}) ==
        "mbconv in=24 mid=72 out=24 k=3 s=1 px=16 act=relu se=0 expand=1 skip=1");
  CHECK(spec_text(PoolSpec{960, 7}) == "pool c=960 px=7");
  CHECK(spec_text(LinearSpec{1280, 1000}) == "linear in=1280 out=1000");
  CHECK(spec_kind(PoolSpec{}) == std::string("pool"));
  CHECK(spec_text(ConvSpec{.in_channels = 32,
                           .out_channels = 32,
                           .kernel_size = 3,
                           .in_px = 64,
                           .act = Act::kRelu,
                           .shortcut = true}) ==
        "conv in=32 out=32 k=3 s=1 px=64 act=relu bn=1 bias=0 skip=1");
  CHECK(spec_text(BottleneckSpec{.in_channels = 64,
                                 .mid_channels = 88,
                                 .out_channels = 256,
                                 .in_px = 56,
                                 .downsample = Downsample::kAvgPoolConv}) ==
        "bottleneck in=64 mid=88 out=256 k=3 s=1 px=56 act=relu down=avgpool_conv");
  CHECK(spec_text(MaxPoolSpec{.channels = 64, .in_px = 112}) == "maxpool c=64 k=3 s=2 px=112");
}

TEST_CASE("parsing a spec text inverts printing it", "[space][property]") {
  for (const SearchSpace& space :
       {test::shipped_space("tiny"), test::shipped_space("mbv3_32px"), test::ofa_resnet50({128})}) {
    std::set<std::uint64_t> hashes;
    const auto units = distinct_units(space, {});
    for (const LayerSpec& unit : units) {
      CAPTURE(spec_text(unit));
      REQUIRE(parse_spec(spec_text(unit)) == unit);
      hashes.insert(spec_hash(unit));
    }
    CHECK(hashes.size() == units.size());
  }
}

TEST_CASE("spec hashes never change", "[space][golden]") {
  CHECK(spec_hash(PoolSpec{960, 7}) == 0x3b6b1524823d9a93ULL);
  CHECK(spec_hash(LinearSpec{1280, 1000}) == 0x1c5c7bc4cf1ce341ULL);
}

TEST_CASE("wrong spec texts name the field", "[space][error]") {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"",
       "layer spec '': unknown kind '', allowed: conv, mbconv, pool, linear, bottleneck, maxpool"},
      {"bottleneck in=8 mid=8 out=8 k=3 s=1 px=4 act=relu down=pool",
       "field 'down': found 'pool', allowed: none, avgpool_conv, conv"},
      {"conv in=8 out=8 k=3 s=1 px=16 act=relu bn=1 bias=0 skip=0",
       "field 'skip': found '0', allowed is an integer in [1, 1]"},
      {"pond c=1", "unknown kind 'pond'"},
      {"pool c=8", "field 'px': missing"},
      {"pool px=4 c=8", "field 'c': expected 'c=…', found 'px=4'"},
      {"pool c=x px=4", "field 'c': found 'x', allowed is an integer in [1, 2147483647]"},
      {"pool c=0 px=4", "field 'c': found '0'"},
      {"pool c=8 px=99999999999", "field 'px': found '99999999999'"},
      {"pool c=8 px=4 k=3", "unexpected 'k=3'"},
      {"conv in=3 out=8 k=3 s=2 px=16 act=gelu bn=1 bias=0",
       "field 'act': found 'gelu', allowed: none, relu, relu6, h_swish"},
      {"conv in=3 out=8 k=3 s=2 px=16 act=relu bn=2 bias=0",
       "field 'bn': found '2', allowed is an integer in [0, 1]"}};
  for (const auto& [text, message] : wrong) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_spec(text), DataError);
    CHECK_THROWS_WITH(parse_spec(text), ContainsSubstring(message));
  }
}

TEST_CASE("units know their shapes", "[space][unit]") {
  const LayerSpec stem = parse_spec("conv in=3 out=16 k=3 s=2 px=33 act=relu bn=1 bias=0");
  CHECK(input_shape(stem) == FeatureShape{3, 33});
  CHECK(output_shape(stem) == FeatureShape{16, 17});
  const LayerSpec block =
      parse_spec("mbconv in=16 mid=48 out=24 k=5 s=2 px=14 act=relu se=0 expand=1 skip=0");
  CHECK(input_shape(block) == FeatureShape{16, 14});
  CHECK(output_shape(block) == FeatureShape{24, 7});
  CHECK(output_shape(PoolSpec{24, 7}) == FeatureShape{24, 1});
  CHECK(input_shape(LinearSpec{24, 10}) == FeatureShape{24, 1});
  CHECK(output_shape(LinearSpec{24, 10}) == FeatureShape{10, 1});
}

TEST_CASE("a block expands into its operators", "[space][unit]") {
  const auto found =
      ops(parse_spec("mbconv in=16 mid=48 out=16 k=5 s=1 px=14 act=h_swish se=16 expand=1 skip=1"));
  REQUIRE(found.size() == 5);
  const FeatureShape narrow{16, 14};
  const FeatureShape wide{48, 14};
  CHECK(found[0] == Op{.in = narrow, .out = wide, .act = Act::kHSwish, .batch_norm = true});
  CHECK(found[1] == Op{.kind = Op::Kind::kDepthwiseConv,
                       .in = wide,
                       .out = wide,
                       .kernel_size = 5,
                       .act = Act::kHSwish,
                       .batch_norm = true});
  CHECK(found[2] == Op{.kind = Op::Kind::kSqueezeExcite,
                       .in = wide,
                       .out = wide,
                       .bias = true,
                       .se_channels = 16});
  CHECK(found[3] == Op{.in = wide, .out = narrow, .batch_norm = true});
  CHECK(found[4] == Op{.kind = Op::Kind::kAdd, .in = narrow, .out = narrow});
  CHECK(ops(parse_spec("mbconv in=16 mid=16 out=24 k=3 s=2 px=14 act=relu se=0 expand=0 skip=0"))
            .size() == 2);
}

}  // namespace
}  // namespace omnifit::space
