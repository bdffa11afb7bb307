#include "core/error.hpp"
#include "core/file_io.hpp"
#include "formats/network_description.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

using Catch::Matchers::Equals;
using namespace omnifit;
using namespace omnifit::formats;
using nlohmann::json;

namespace {

/// first_conv 3→8, blocks 8→8, 8→8 (twice), 8→16 with stride 2 and squeeze-excite, head 32, 32.
json good() {
  const space::SearchSpace space = test::shipped_space("tiny");
  return json::parse(network_description_json(describe(space, space::largest(space), {3, 10})));
}

/// What reading `text` says; "" if it is accepted.
std::string complaint(const std::string& text) {
  try {
    parse_network_description(text, "net.config", 16);
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

/// A value put at a place (a JSON pointer), and what the reader says to it.
struct Case {
  const char* place;
  json value;
  const char* complaint;
};

void check(const json& base, const std::vector<Case>& cases) {
  for (const Case& entry : cases) {
    CAPTURE(entry.place, entry.value.dump());
    json changed = base;
    changed[json::json_pointer(entry.place)] = entry.value;
    CHECK_THAT(complaint(changed.dump()), Equals(entry.complaint));
  }
}

std::string without(const json& base, const std::string& object, const std::string& key) {
  json changed = base;
  changed[json::json_pointer(object)].erase(key);
  return complaint(changed.dump());
}

}  // namespace

TEST_CASE("a good description is accepted", "[formats][unit]") {
  CHECK_THAT(complaint(good().dump()), Equals(""));
}

TEST_CASE("unknown layers and keys are named", "[formats][error]") {
  check(
      good(),
      {
          {"/name", "EfficientNet",
           "net.config: name: found 'EfficientNet', allowed: MobileNetV3, ProxylessNASNets, "
           "ResNets"},
          {"/name", 7,
           "net.config: name: found 7, allowed: MobileNetV3, ProxylessNASNets, ResNets"},
          {"/blocks/1/conv/name", "SwinBlock",
           "net.config: blocks[1].conv.name: found 'SwinBlock', allowed: MBConvLayer, "
           "MBInvertedConvLayer, ZeroLayer"},
          {"/first_conv/name", "MBConvLayer",
           "net.config: first_conv.name: found 'MBConvLayer', allowed: ConvLayer"},
          {"/blocks/0/shortcut", json{{"name", "ConvLayer"}},
           "net.config: blocks[0].shortcut.name: found 'ConvLayer', allowed: IdentityLayer, "
           "ZeroLayer"},
          {"/classifier/name", "MultiHeadLinearLayer",
           "net.config: classifier.name: found 'MultiHeadLinearLayer', allowed: LinearLayer"},
          {"/classifer", 1,
           "net.config: unknown key 'classifer', allowed: name, bn, first_conv, blocks, "
           "final_expand_layer, feature_mix_layer, classifier, resolution"},
          {"/blocks/1/conv/kernel", 3,
           "net.config: blocks[1].conv: unknown key 'kernel', allowed: name, in_channels, "
           "out_channels, kernel_size, stride, expand_ratio, mid_channels, act_func, use_se, "
           "groups"},
          {"/blocks/1/mobile_inverted_conv", nullptr,
           "net.config: blocks[1]: keys 'conv' and 'mobile_inverted_conv' are the same thing; both "
           "are there"},
      });
}

TEST_CASE("missing keys are named with their place", "[formats][error]") {
  const json base = good();
  CHECK_THAT(without(base, "", "name"), Equals("net.config: key 'name' is missing"));
  CHECK_THAT(without(base, "", "blocks"), Equals("net.config: key 'blocks' is missing"));
  CHECK_THAT(without(base, "", "final_expand_layer"),
             Equals("net.config: key 'final_expand_layer' is missing"));
  CHECK_THAT(without(base, "/blocks/2", "shortcut"),
             Equals("net.config: blocks[2]: key 'shortcut' is missing"));
  CHECK_THAT(without(base, "/blocks/2", "conv"),
             Equals("net.config: blocks[2]: key 'conv' is missing"));
  CHECK_THAT(without(base, "/blocks/2/conv", "in_channels"),
             Equals("net.config: blocks[2].conv: key 'in_channels' is missing"));
  CHECK_THAT(without(base, "/classifier", "out_features"),
             Equals("net.config: classifier: key 'out_features' is missing"));
  CHECK_THAT(without(base, "/bn", "eps"), Equals("net.config: bn: key 'eps' is missing"));
}

TEST_CASE("keys with a default may be missing", "[formats][unit]") {
  json base = good();
  base.erase("bn");
  base["classifier"].erase("dropout_rate");
  json& conv = base["blocks"][1]["conv"];
  for (const char* key :
       {"kernel_size", "stride", "expand_ratio", "mid_channels", "act_func", "use_se", "groups"}) {
    conv.erase(key);
  }
  const NetworkDescription read = parse_network_description(base.dump(), "net.config", 16);
  CHECK(read.batch_norm.eps == 1e-5);
  CHECK(read.batch_norm.momentum == 0.1);
  CHECK(read.dropout_prob == 0.0);
  const auto& spec = std::get<space::MbConvSpec>(read.plan.units[2].spec);
  CHECK(spec.kernel_size == 3);
  CHECK(spec.stride == 1);
  CHECK(spec.mid_channels == 48);
  CHECK(spec.act == space::Act::kRelu6);
  CHECK(spec.se_channels == 0);
}

TEST_CASE("widths that do not chain are errors", "[formats][error]") {
  check(
      good(),
      {
          {"/blocks/1/conv/in_channels", 16,
           "net.config: blocks[1].conv.in_channels: found 16, allowed: 8, the width of the layer "
           "before"},
          {"/classifier/in_features", 33,
           "net.config: classifier.in_features: found 33, allowed: 32, the width of the layer "
           "before"},
          {"/blocks/0/shortcut/in_channels", 16,
           "net.config: blocks[0].shortcut.in_channels: found 16, allowed: 8, the width of the "
           "layer before"},
          {"/blocks/0/shortcut/out_channels", json::array({16}),
           "net.config: blocks[0].shortcut.out_channels[0]: found 16, allowed: 8, the width of the "
           "layer before"},
          {"/blocks/3/shortcut",
           json{{"name", "IdentityLayer"}, {"in_channels", 8}, {"out_channels", 16}},
           "net.config: blocks[3].shortcut: found IdentityLayer, allowed: null, as the shape "
           "changes"},
          {"/blocks/0/conv/mid_channels", 16,
           "net.config: blocks[0].conv.mid_channels: found 16, allowed: 8, the input's width, as "
           "expand_ratio is 1"},
          {"/blocks/1/conv/groups", 4,
           "net.config: blocks[1].conv.groups: found 4, allowed: 16, the middle width, as the "
           "convolution is depthwise, or null"},
      });
}

TEST_CASE("values out of range and of the wrong type are errors", "[formats][error]") {
  check(
      good(),
      {
          {"/blocks/1/conv/kernel_size", 4,
           "net.config: blocks[1].conv.kernel_size: found 4, allowed: an odd size up to 15"},
          {"/blocks/1/conv/kernel_size", "3",
           "net.config: blocks[1].conv.kernel_size: found '3', allowed: an integer in [1, 15]"},
          {"/blocks/1/conv/kernel_size", 3.0,
           "net.config: blocks[1].conv.kernel_size: found 3.0, allowed: an integer in [1, 15]"},
          {"/blocks/1/conv/kernel_size", json::array({3, 3}),
           "net.config: blocks[1].conv.kernel_size: found a list of 2, allowed: an integer in [1, "
           "15]"},
          {"/blocks/1/conv/stride", 0,
           "net.config: blocks[1].conv.stride: found 0, allowed: an integer in [1, 8]"},
          {"/blocks/1/conv/out_channels", 18446744073709551615U,
           "net.config: blocks[1].conv.out_channels: found 18446744073709551615, allowed: an "
           "integer in [1, 16384]"},
          {"/blocks/1/conv/expand_ratio", -3,
           "net.config: blocks[1].conv.expand_ratio: found -3, allowed: a number in (0, 256]"},
          {"/blocks/1/conv/expand_ratio", true,
           "net.config: blocks[1].conv.expand_ratio: found true, allowed: a number in (0, 256]"},
          {"/blocks/1/conv/act_func", "tanh",
           "net.config: blocks[1].conv.act_func: found 'tanh', allowed: null, relu, relu6, "
           "h_swish"},
          {"/blocks/1/conv/act_func", "null",
           "net.config: blocks[1].conv.act_func: found 'null', allowed: null, relu, relu6, "
           "h_swish"},
          {"/blocks/1/conv/use_se", 1,
           "net.config: blocks[1].conv.use_se: found 1, allowed: true, false"},
          {"/first_conv/groups", 2,
           "net.config: first_conv.groups: found 2, allowed: 1, because units of a plan are plain "
           "convolutions"},
          {"/first_conv/dilation", 2,
           "net.config: first_conv.dilation: found 2, allowed: 1, because units of a plan are "
           "plain convolutions"},
          {"/first_conv/use_se", true, "net.config: first_conv.use_se: found true, allowed: false"},
          {"/first_conv/ops_order", "bn_act_weight",
           "net.config: first_conv.ops_order: found 'bn_act_weight', allowed: weight_bn_act"},
          {"/first_conv/dropout_rate", 0.2,
           "net.config: first_conv.dropout_rate: found 0.2, allowed: 0; only the classifier may "
           "drop values"},
          {"/blocks/0/shortcut/use_bn", true,
           "net.config: blocks[0].shortcut.use_bn: found true, allowed: false"},
          {"/blocks/0/shortcut/act_func", "relu",
           "net.config: blocks[0].shortcut.act_func: found 'relu', allowed: null"},
          {"/classifier/bias", false, "net.config: classifier.bias: found false, allowed: true"},
          {"/classifier/use_bn", true, "net.config: classifier.use_bn: found true, allowed: false"},
          {"/classifier/act_func", "relu",
           "net.config: classifier.act_func: found 'relu', allowed: null"},
          {"/classifier/dropout_rate", 1,
           "net.config: classifier.dropout_rate: found 1, allowed: a number in [0, 0.999]"},
          {"/bn/eps", 0, "net.config: bn.eps: found 0, allowed: a number in (0, 1]"},
          {"/bn/ws_eps", 1e-5,
           "net.config: bn.ws_eps: found 1e-05, allowed: null (no weight standardisation)"},
          {"/bn", json::array(), "net.config: bn: found a list of 0, allowed: an object"},
          {"/blocks", json::object(),
           "net.config: blocks: found an object, allowed: a list of 1 to 1024"},
          {"/blocks", json::array(),
           "net.config: blocks: found a list of 0, allowed: a list of 1 to 1024"},
          {"/blocks/1", 5, "net.config: blocks[1]: found 5, allowed: an object"},
          {"/blocks/1/conv", json{{"name", "ZeroLayer"}, {"stride", 2}},
           "net.config: blocks[1].conv.stride: found 2, allowed: 1, because a block without layers "
           "keeps its input"},
          {"/resolution", 16.5, ""},
      });
}

TEST_CASE("a middle width that the ratio makes impossible is an error", "[formats][error]") {
  json base = good();
  json& conv = base["blocks"][1]["conv"];
  conv["mid_channels"] = nullptr;
  conv["expand_ratio"] = 0.01;
  CHECK_THAT(complaint(base.dump()),
             Equals("net.config: blocks[1].conv: middle width 0 of expand_ratio 0.01, allowed: 1 "
                    "to 16384"));
  conv["expand_ratio"] = nullptr;
  CHECK_THAT(complaint(base.dump()),
             Equals("net.config: blocks[1].conv.expand_ratio: found null, allowed: a number in (0, "
                    "256]"));
}

TEST_CASE("the text's own resolution is checked", "[formats][error]") {
  json base = good();
  const auto reading = [&] { parse_network_description(base.dump(), "net.config"); };
  base["resolution"] = 0;
  CHECK_THROWS_WITH(reading(),
                    Equals("net.config: resolution: found 0, allowed: an integer in [1, 2048]"));
  base["resolution"] = 3;
  CHECK_THROWS_WITH(reading(), Equals("net.config: blocks[3].conv: resolution is 3 px, too small "
                                      "for the strides, whose product is 4 here"));
}

TEST_CASE("a network beyond all measure is refused", "[formats][error]") {
  json base = good();
  json& conv = base["blocks"][0]["conv"];
  json wide = base["blocks"][0];
  wide["conv"]["in_channels"] = wide["conv"]["out_channels"] = 16384;
  wide["shortcut"] = nullptr;
  conv["out_channels"] = 16384;
  base["blocks"][0]["shortcut"] = nullptr;
  base["blocks"] = json::array({base["blocks"][0]});
  for (int i = 0; i < 20; ++i) base["blocks"].push_back(wide);
  try {
    parse_network_description(base.dump(), "net.config", 2048);
    FAIL("accepted");
  } catch (const DataError& error) {
    CHECK_THAT(error.what(), Equals("net.config: blocks[4].conv: the network takes more than 1e+15 "
                                    "MACs up to here"));
  }
}

TEST_CASE("texts that are no JSON, or hostile JSON, are refused", "[formats][error]") {
  CHECK_THAT(complaint(""), Equals("net.config:1:1: not valid JSON"));
  CHECK_THAT(complaint("{\n  \"name\": ,\n}"), Equals("net.config:2:11: not valid JSON"));
  CHECK_THAT(complaint("{} {}"), Equals("net.config:1:4: not valid JSON"));
  CHECK_THAT(complaint("{\"name\": \"\xff\"}"), Equals("net.config:1:11: not valid JSON"));
  CHECK_THAT(complaint("{\"name\": 1e999}"),
             Equals("net.config: not valid JSON: a number is out of range"));
  CHECK_THAT(complaint("[]"), Equals("net.config: found a list of 0, allowed: an object"));
  CHECK_THAT(complaint(R"({"name": "MobileNetV3", "name": "ResNets"})"),
             Equals("net.config: key 'name' occurs twice"));
  CHECK_THAT(complaint(R"({"blocks": [{"conv": {"a": 1}}, {"conv": {"a": 1, "a": 2}}]})"),
             Equals("net.config: key 'a' occurs twice"));
  CHECK_THAT(complaint(std::string(100'000, '[')),
             Equals("net.config: nested deeper than 32 levels"));
  CHECK_THAT(complaint("{\"name\": \"" + std::string(200, 'x') + "\"}"),
             Equals("net.config: name: found '" + std::string(100, 'x') +
                    "'…, allowed: MobileNetV3, ProxylessNASNets, ResNets"));
}

TEST_CASE("files that cannot be read are errors", "[formats][error]") {
  const test::TempDir folder;
  CHECK_THROWS_AS(read_network_description(folder.path() / "none.json"), DataError);
  CHECK_THROWS_AS(read_network_description(folder.path()), DataError);
  core::write_file_atomically(folder.path() / "big.json", std::string(5 << 20, ' '));
  CHECK_THROWS_AS(read_network_description(folder.path() / "big.json"), DataError);
}
