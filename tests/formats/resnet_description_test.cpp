#include "core/error.hpp"
#include "formats/network_description.hpp"
#include "space/costs.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Equals;
using namespace omnifit;
using namespace omnifit::formats;
using nlohmann::json;

namespace {

json conv(int in, int out, int kernel_size, int stride) {
  return {{"name", "ConvLayer"},
          {"in_channels", in},
          {"out_channels", out},
          {"kernel_size", kernel_size},
          {"stride", stride}};
}

/// ResNet-50 as the reference builds it: the original, or its D variant with the deep stem.
json resnet50(bool variant_d) {
  json net{
      {"name", "ResNets"},
      {"bn", {{"momentum", 0.1}, {"eps", 1e-5}}},
      {"classifier", {{"name", "LinearLayer"}, {"in_features", 2048}, {"out_features", 1000}}}};
  if (variant_d) {
    const json identity{{"name", "IdentityLayer"}, {"in_channels", 32}, {"out_channels", 32}};
    net["input_stem"] = {
        conv(3, 32, 3, 2),
        {{"name", "ResidualBlock"}, {"conv", conv(32, 32, 3, 1)}, {"shortcut", identity}},
        conv(32, 64, 3, 1)};
  } else {
    net["input_stem"] = {conv(3, 64, 7, 2)};
  }
  int in = 64;
  int width = 256;
  for (const int depth : {3, 4, 6, 3}) {
    for (int block = 0; block < depth; ++block) {
      net["blocks"].push_back({{"name", "ResNetBottleneckBlock"},
                               {"in_channels", in},
                               {"out_channels", width},
                               {"stride", block == 0 && width > 256 ? 2 : 1},
                               {"expand_ratio", 0.25},
                               {"downsample_mode", variant_d ? "avgpool_conv" : "conv"}});
      in = width;
    }
    width *= 2;
  }
  return net;
}

NetworkDescription parsed(const json& net) {
  return parse_network_description(net.dump(), "net.config", 224);
}

std::string complaint(const json& net) {
  try {
    parsed(net);
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("both variants of ResNet-50 have their known costs", "[formats][golden]") {
  const NetworkDescription original = parsed(resnet50(false));
  CHECK(original.family == NetworkFamily::kResNet);
  CHECK(space::macs(original.plan) == 4'089'184'256);
  CHECK(space::params_count(original.plan) == 25'557'032);

  const NetworkDescription variant_d = parsed(resnet50(true));
  CHECK(space::macs(variant_d.plan) == 4'328'824'832);
  CHECK(space::params_count(variant_d.plan) == 25'576'264);
  CHECK(variant_d.unit_names.at(1) == "input_stem.1");
  CHECK(variant_d.unit_names.at(3) == "max_pool");
  CHECK(variant_d.unit_names.at(4) == "blocks.0");

  for (const NetworkDescription& description : {original, variant_d}) {
    CHECK(parsed(json::parse(network_description_json(description))) == description);
  }
}

TEST_CASE("ResNet-50 D lies in the reference's space, the original does not", "[formats][golden]") {
  const space::SearchSpace space = test::ofa_resnet50({224});
  const auto found = find_arch(space, parsed(resnet50(true)));
  REQUIRE(std::holds_alternative<space::Arch>(found));
  const auto& arch = std::get<space::Arch>(found);
  const std::vector<int> depths{3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage)
    CHECK(space::depth(space, arch, stage) == depths[static_cast<std::size_t>(stage)]);
  CHECK(space::axis_value(space, arch, space::Axis::kExpandRatio, 2, 5) == 0.25);

  const auto none = find_arch(space, parsed(resnet50(false)));
  REQUIRE(std::holds_alternative<space::NotInSpace>(none));
  CHECK_THAT(std::get<space::NotInSpace>(none).reason,
             ContainsSubstring("input_stem.0: ") && ContainsSubstring("k=7 (the space has 3)"));
}

TEST_CASE("random ResNet subnets come back from their descriptions", "[formats][property]") {
  const space::SearchSpace space = test::ofa_resnet50({128, 160});
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    CAPTURE(seed);
    core::Rng rng = test::test_rng(seed);
    const space::Arch arch = space::sample(space, rng);
    const NetworkDescription description = describe(space, arch, {3, 10});
    const NetworkDescription read = parse_network_description(
        network_description_json(description), "written", space::resolution_px(space, arch));
    CHECK(read == description);
    const auto found = find_arch(space, read);
    REQUIRE(std::holds_alternative<space::Arch>(found));
    // Widths may round alike: the arch can be another one of the same network.
    CHECK(describe(space, std::get<space::Arch>(found), {3, 10}) == description);
  }
}

TEST_CASE("errors in ResNet descriptions name their place", "[formats][error]") {
  json net = resnet50(true);
  SECTION("another block") {
    net["blocks"][2]["name"] = "MBConvLayer";
    CHECK_THAT(complaint(net), Equals("net.config: blocks[2].name: found 'MBConvLayer', allowed: "
                                      "ResNetBottleneckBlock"));
  }
  SECTION("groups") {
    net["blocks"][2]["groups"] = 32;
    CHECK_THAT(complaint(net), Equals("net.config: blocks[2].groups: found 32, allowed: 1, because "
                                      "units of a plan are plain convolutions"));
  }
  SECTION("downsampling") {
    net["blocks"][0]["downsample_mode"] = "max";
    CHECK_THAT(complaint(net), Equals("net.config: blocks[0].downsample_mode: found 'max', "
                                      "allowed: avgpool_conv, conv"));
  }
  SECTION("ratio") {
    net["blocks"][0]["expand_ratio"] = 4;
    CHECK_THAT(complaint(net), Equals("net.config: blocks[0].expand_ratio: found 4, allowed: a "
                                      "number in (0, 1]"));
  }
  SECTION("widths") {
    net["blocks"][3]["in_channels"] = 128;
    CHECK_THAT(complaint(net), Equals("net.config: blocks[3].in_channels: found 128, allowed: 256, "
                                      "the width of the layer before"));
  }
  SECTION("a residual stem layer without its shortcut") {
    net["input_stem"][1]["shortcut"] = nullptr;
    CHECK_THAT(complaint(net), Equals("net.config: input_stem[1].shortcut: found null, allowed: "
                                      "IdentityLayer"));
  }
  SECTION("keys of another family") {
    net["first_conv"] = nullptr;
    CHECK_THAT(complaint(net), Equals("net.config: unknown key 'first_conv', allowed: name, bn, "
                                      "input_stem, blocks, classifier, resolution"));
  }
  SECTION("no stem") {
    net["input_stem"] = json::array();
    CHECK_THAT(complaint(net),
               Equals("net.config: input_stem: found a list of 0, allowed: a list of 1 to 16"));
  }
}

TEST_CASE("ResNet units that the reference cannot have are named", "[formats][error]") {
  NetworkDescription description = parsed(resnet50(true));
  auto& units = description.plan.units;
  SECTION("middle width") {
    std::get<space::BottleneckSpec>(units[4].spec).mid_channels = 60;
    CHECK_THROWS_WITH(network_description_json(description),
                      Equals("blocks.0: the reference cannot have it: middle width 60, allowed: "
                             "64"));
  }
  SECTION("downsampling where the identity fits") {
    std::get<space::BottleneckSpec>(units[5].spec).downsample = space::Downsample::kConv;
    CHECK_THROWS_WITH(network_description_json(description),
                      Equals("blocks.1: the reference cannot have it: downsample 'conv' of 256 to "
                             "256 channels with stride 1"));
  }
  SECTION("pooling") {
    std::get<space::MaxPoolSpec>(units[3].spec).kernel_size = 2;
    CHECK_THROWS_WITH(network_description_json(description),
                      Equals("max_pool: the reference cannot have it: kernel size 2 and stride 2, "
                             "allowed: 3 and 2"));
  }
  SECTION("a shortcut around the stem of another family") {
    const space::SearchSpace tiny = test::shipped_space("tiny");
    NetworkDescription other = describe(tiny, space::largest(tiny), {3, 10});
    std::get<space::ConvSpec>(other.plan.units[0].spec).shortcut = true;
    CHECK_THROWS_WITH(network_description_json(other),
                      Equals("first_conv: the reference cannot have it: a shortcut around a "
                             "convolution"));
  }
}
