#include "formats/detail/description_reader.hpp"

#include "core/error.hpp"
#include "space/costs.hpp"

#include <cmath>
#include <utility>

namespace omnifit::formats::detail {

namespace {

using space::Act;
using space::FeatureShape;

// Wide enough for every network that can be trained, and so narrow that costs stay within 64 bits.
constexpr int kMaxChannels = 16384;
constexpr int kMaxClasses = 1'000'000;
constexpr int kMaxKernelSize = 15;
constexpr int kMaxStride = 8;
constexpr std::size_t kMaxStemLayers = 16;
constexpr std::size_t kMaxBlocks = 1024;
constexpr double kMaxMacs = 1e15;

/// Reads the layers in execution order; each must take what the one before gives.
class Reader {
 public:
  Reader(const JsonNode& root, const StatedResolution& resolution)
      : root_(root), resolution_(resolution) {}

  NetworkDescription read() {
    description_.family = static_cast<NetworkFamily>(root_.at("name").one_of(family_names()));
    description_.plan.resolution_px = resolution_.px;
    check_top_keys();
    read_batch_norm();
    shape_ = {0, resolution_.px};
    if (description_.family == NetworkFamily::kResNet) {
      read_resnet();
    } else {
      read_mbconv_network();
    }
    read_classifier(root_.at("classifier"));
    description_.plan.io.in_channels =
        space::input_shape(description_.plan.units.front().spec).channels;
    description_.plan.io.num_classes = space::output_shape(last_unit()).channels;
    return std::move(description_);
  }

 private:
  static std::vector<std::string> family_names() {
    std::vector<std::string> names;
    for (const NetworkFamily family :
         {NetworkFamily::kMobileNetV3, NetworkFamily::kProxylessNas, NetworkFamily::kResNet})
      names.push_back(network_family_name(family));
    return names;
  }

  void check_top_keys() const {
    if (description_.family == NetworkFamily::kMobileNetV3) {
      root_.check_keys({"name", "bn", "first_conv", "blocks", "final_expand_layer",
                        "feature_mix_layer", "classifier", "resolution"});
    } else if (description_.family == NetworkFamily::kProxylessNas) {
      root_.check_keys(
          {"name", "bn", "first_conv", "blocks", "feature_mix_layer", "classifier", "resolution"});
    } else {
      root_.check_keys({"name", "bn", "input_stem", "blocks", "classifier", "resolution"});
    }
  }

  void read_batch_norm() {
    // What the reference assumes where the file says nothing.
    if (description_.family == NetworkFamily::kProxylessNas) description_.batch_norm.eps = 1e-3;
    const auto node = root_.find("bn");
    if (!node) return;
    node->check_keys({"momentum", "eps", "ws_eps"});
    description_.batch_norm.momentum =
        node->at("momentum").real({.min = 0.0, .max = 1.0, .open_min = true});
    description_.batch_norm.eps = node->at("eps").real({.min = 0.0, .max = 1.0, .open_min = true});
    const auto standardisation = node->find("ws_eps");
    if (standardisation && !standardisation->is_null())
      standardisation->fail_found("null (no weight standardisation)");
  }

  void read_mbconv_network() {
    read_conv(root_.at("first_conv"), "first_conv");
    int number = 0;
    for (const JsonNode& block : root_.at("blocks").items(kMaxBlocks))
      read_residual_block(block, fmt::format("blocks.{}", number++));
    const JsonNode mix = root_.at("feature_mix_layer");
    if (description_.family == NetworkFamily::kMobileNetV3) {
      read_conv(root_.at("final_expand_layer"), "final_expand_layer");
      add_pool();
      read_conv(mix, "feature_mix_layer");
    } else {
      if (!mix.is_null()) read_conv(mix, "feature_mix_layer");
      add_pool();
    }
  }

  void read_resnet() {
    int number = 0;
    for (const JsonNode& layer : root_.at("input_stem").items(kMaxStemLayers))
      read_stem_layer(layer, fmt::format("input_stem.{}", number++));
    // Not in the file: the reference's class has it.
    add(root_, "max_pool",
        space::MaxPoolSpec{
            .channels = shape_.channels, .kernel_size = 3, .stride = 2, .in_px = shape_.px});
    number = 0;
    for (const JsonNode& block : root_.at("blocks").items(kMaxBlocks))
      read_bottleneck(block, fmt::format("blocks.{}", number++));
    add_pool();
  }

  void read_stem_layer(const JsonNode& layer, const std::string& name) {
    if (layer.at("name").one_of({"ConvLayer", "ResidualBlock"}) == 0) {
      read_conv(layer, name);
      return;
    }
    layer.check_keys({"name", "conv", "shortcut"});
    const JsonNode conv = layer.at("conv");
    space::ConvSpec spec = read_conv_spec(conv);
    const bool same_shape = spec.stride == 1 && spec.in_channels == spec.out_channels;
    spec.shortcut = has_identity(layer.at("shortcut"), same_shape);
    if (!spec.shortcut) layer.at("shortcut").fail_found("IdentityLayer");
    add(conv, name, spec);
  }

  void read_bottleneck(const JsonNode& layer, const std::string& name) {
    layer.at("name").one_of({"ResNetBottleneckBlock"});
    layer.check_keys({"name", "in_channels", "out_channels", "kernel_size", "stride",
                      "expand_ratio", "mid_channels", "act_func", "groups", "downsample_mode"});
    space::BottleneckSpec spec;
    spec.in_channels = read_in_channels(layer, "in_channels");
    spec.out_channels = layer.at("out_channels").integer(1, kMaxChannels);
    spec.kernel_size = kernel_size_or(layer, 3);
    spec.stride = size_or(layer, "stride", 1, kMaxStride);
    spec.in_px = shape_.px;
    spec.act = act_or(layer, Act::kRelu);
    spec.mid_channels = bottleneck_width(layer, spec.out_channels);
    if (const auto groups = layer.find("groups"))
      groups->expect_integer(1, "because units of a plan are plain convolutions");
    // The mode counts only where the identity does not fit.
    const auto mode = layer.find("downsample_mode");
    const bool plain = mode && mode->one_of({"avgpool_conv", "conv"}) == 1;
    if (spec.stride != 1 || spec.in_channels != spec.out_channels)
      spec.downsample = plain ? space::Downsample::kConv : space::Downsample::kAvgPoolConv;
    add(layer, name, spec);
  }

  /// Of the output's width, unlike in an inverted residual, and always made divisible.
  static int bottleneck_width(const JsonNode& layer, int out_channels) {
    const auto mid = layer.find("mid_channels");
    if (mid && !mid->is_null()) return space::make_divisible(mid->integer(1, kMaxChannels));
    const auto node = layer.find("expand_ratio");
    const double ratio = node ? node->real({.min = 0.0, .max = 1.0, .open_min = true}) : 0.25;
    return space::make_divisible(std::nearbyint(out_channels * ratio));
  }

  /// A block with a shortcut; the key of its main path differs between the dialects.
  void read_residual_block(const JsonNode& block, const std::string& name) {
    block.check_keys({"name", "conv", "mobile_inverted_conv", "shortcut"});
    const bool first_dialect = block.has("mobile_inverted_conv");
    if (first_dialect && block.has("conv"))
      block.fail("keys 'conv' and 'mobile_inverted_conv' are the same thing; both are there");
    const JsonNode conv = block.at(first_dialect ? "mobile_inverted_conv" : "conv");
    const JsonNode shortcut = block.at("shortcut");
    // Without a main path a block passes its input on, whatever its shortcut.
    if (conv.is_null() || read_zero_layer(conv)) {
      has_identity(shortcut, true);
      return;
    }
    space::MbConvSpec spec = read_mbconv(conv);
    const bool same_shape = spec.stride == 1 && spec.in_channels == spec.out_channels;
    spec.shortcut = has_identity(shortcut, same_shape);
    add(conv, name, spec);
  }

  /// Whether the node is the layer that gives zero.
  static bool read_zero_layer(const JsonNode& layer) {
    if (layer.at("name").text() != "ZeroLayer") return false;
    layer.check_keys({"name", "stride"});
    if (const auto stride = layer.find("stride"))
      stride->expect_integer(1, "because a block without layers keeps its input");
    return true;
  }

  bool has_identity(const JsonNode& shortcut, bool same_shape) const {
    if (shortcut.is_null()) return false;
    const std::vector<std::string> names{"IdentityLayer", "ZeroLayer"};
    if (shortcut.at("name").one_of(names) == 1) return false;
    if (!same_shape) shortcut.fail("found IdentityLayer, allowed: null, as the shape changes");
    shortcut.check_keys(
        {"name", "in_channels", "out_channels", "use_bn", "act_func", "dropout_rate", "ops_order"});
    for (const char* key : {"in_channels", "out_channels"}) {
      const JsonNode node = shortcut.at(key);
      // The first dialect wrote the widths of its elastic blocks as lists of one.
      const JsonNode channels = node.is_list() ? node.items(1).front() : node;
      expect_channels(channels);
    }
    if (const auto norm = shortcut.find("use_bn"); norm && norm->boolean())
      norm->fail_found("false");
    expect_null(shortcut, "act_func");
    check_plain(shortcut);
    return true;
  }

  void expect_channels(const JsonNode& node) const {
    node.expect_integer(shape_.channels, "the width of the layer before");
  }

  static void expect_null(const JsonNode& layer, const char* key) {
    const auto node = layer.find(key);
    if (node && !node->is_null()) node->fail_found("null");
  }

  /// What a plan does not know: dropout inside the network and another order of operations.
  static void check_plain(const JsonNode& layer) {
    const auto dropout = layer.find("dropout_rate");
    if (dropout && dropout->real({.min = 0.0, .max = 1.0}) != 0.0)
      dropout->fail_found("0; only the classifier may drop values");
    if (const auto order = layer.find("ops_order")) order->one_of({"weight_bn_act"});
  }

  static int size_or(const JsonNode& layer, const char* key, int missing, int max) {
    const auto node = layer.find(key);
    return node ? node->integer(1, max) : missing;
  }

  static bool flag_or(const JsonNode& layer, const char* key, bool missing) {
    const auto node = layer.find(key);
    return node ? node->boolean() : missing;
  }

  static int kernel_size_or(const JsonNode& layer, int missing) {
    const auto node = layer.find("kernel_size");
    if (!node) return missing;
    const int size = node->integer(1, kMaxKernelSize);
    if (size % 2 == 0) node->fail_found(fmt::format("an odd size up to {}", kMaxKernelSize));
    return size;
  }

  static Act act_or(const JsonNode& layer, Act missing) {
    static const std::vector<Act> acts{Act::kNone, Act::kRelu, Act::kRelu6, Act::kHSwish};
    std::vector<std::string> names;
    names.reserve(acts.size());
    for (const Act act : acts) names.push_back(act == Act::kNone ? "null" : space::act_name(act));
    const auto node = layer.find("act_func");
    return node ? acts[node->one_of(names)] : missing;
  }

  /// Widths of a layer: the first takes any image, the others what the one before gives.
  int read_in_channels(const JsonNode& layer, const char* key) const {
    const JsonNode node = layer.at(key);
    if (shape_.channels == 0) return node.integer(1, kMaxChannels);
    expect_channels(node);
    return shape_.channels;
  }

  void read_conv(const JsonNode& layer, const std::string& name) {
    add(layer, name, read_conv_spec(layer));
  }

  space::ConvSpec read_conv_spec(const JsonNode& layer) const {
    layer.at("name").one_of({"ConvLayer"});
    layer.check_keys({"name", "in_channels", "out_channels", "kernel_size", "stride", "dilation",
                      "groups", "bias", "has_shuffle", "use_se", "use_bn", "act_func",
                      "dropout_rate", "ops_order"});
    space::ConvSpec spec;
    spec.in_channels = read_in_channels(layer, "in_channels");
    spec.out_channels = layer.at("out_channels").integer(1, kMaxChannels);
    spec.kernel_size = kernel_size_or(layer, 3);
    spec.stride = size_or(layer, "stride", 1, kMaxStride);
    spec.in_px = shape_.px;
    spec.act = act_or(layer, Act::kRelu);
    spec.batch_norm = flag_or(layer, "use_bn", true);
    spec.bias = flag_or(layer, "bias", false);
    for (const char* key : {"dilation", "groups"}) {
      if (const auto node = layer.find(key))
        node->expect_integer(1, "because units of a plan are plain convolutions");
    }
    flag_or(layer, "has_shuffle", false);  // shuffles groups, of which there is one
    if (const auto excite = layer.find("use_se"); excite && excite->boolean())
      excite->fail_found("false");
    check_plain(layer);
    return spec;
  }

  space::MbConvSpec read_mbconv(const JsonNode& layer) const {
    layer.at("name").one_of({"MBConvLayer", "MBInvertedConvLayer", "ZeroLayer"});
    layer.check_keys({"name", "in_channels", "out_channels", "kernel_size", "stride",
                      "expand_ratio", "mid_channels", "act_func", "use_se", "groups"});
    space::MbConvSpec spec;
    spec.in_channels = read_in_channels(layer, "in_channels");
    spec.out_channels = layer.at("out_channels").integer(1, kMaxChannels);
    spec.kernel_size = kernel_size_or(layer, 3);
    spec.stride = size_or(layer, "stride", 1, kMaxStride);
    spec.in_px = shape_.px;
    spec.act = act_or(layer, Act::kRelu6);
    read_middle(layer, spec);
    if (flag_or(layer, "use_se", false))
      spec.se_channels = space::squeeze_channels(spec.mid_channels);
    if (const auto groups = layer.find("groups"); groups && !groups->is_null()) {
      groups->expect_integer(spec.mid_channels,
                             "the middle width, as the convolution is depthwise, or null");
    }
    return spec;
  }

  /// The middle width: as written, or the rounded product, which the reference does not make
  /// divisible. A ratio of exactly 1 means that there is no expand convolution.
  static void read_middle(const JsonNode& layer, space::MbConvSpec& spec) {
    const auto mid = layer.find("mid_channels");
    const auto ratio_node = layer.find("expand_ratio");
    const bool mid_known = mid && !mid->is_null();
    double ratio = 6.0;
    // "null" stands for an expand convolution that does not widen; the width must then be written.
    const bool no_ratio = ratio_node && ratio_node->is_null() && mid_known;
    if (ratio_node && !no_ratio)
      ratio = ratio_node->real({.min = 0.0, .max = 256.0, .open_min = true});
    spec.expand = no_ratio || ratio != 1.0;
    spec.mid_channels = mid_known ? mid->integer(1, kMaxChannels)
                                  : static_cast<int>(std::nearbyint(spec.in_channels * ratio));
    if (spec.mid_channels < 1 || spec.mid_channels > kMaxChannels) {
      layer.fail(fmt::format("middle width {} of expand_ratio {}, allowed: 1 to {}",
                             spec.mid_channels, ratio, kMaxChannels));
    }
    if (!spec.expand && spec.mid_channels != spec.in_channels)
      mid->expect_integer(spec.in_channels, "the input's width, as expand_ratio is 1");
  }

  void read_classifier(const JsonNode& layer) {
    layer.at("name").one_of({"LinearLayer"});
    layer.check_keys({"name", "in_features", "out_features", "bias", "use_bn", "act_func",
                      "dropout_rate", "ops_order"});
    space::LinearSpec spec;
    spec.in_features = read_in_channels(layer, "in_features");
    spec.out_features = layer.at("out_features").integer(1, kMaxClasses);
    if (const auto bias = layer.find("bias"); bias && !bias->boolean()) bias->fail_found("true");
    if (const auto norm = layer.find("use_bn"); norm && norm->boolean()) norm->fail_found("false");
    expect_null(layer, "act_func");
    if (const auto dropout = layer.find("dropout_rate"))
      description_.dropout_prob = dropout->real({.min = 0.0, .max = 0.999});
    if (const auto order = layer.find("ops_order")) order->one_of({"weight_bn_act"});
    add(layer, "classifier", spec);
  }

  void add_pool() { add(root_, "pool", space::PoolSpec{shape_.channels, shape_.px}); }

  void add(const JsonNode& layer, const std::string& name, const space::LayerSpec& spec) {
    const int stride = std::visit(
        [](const auto& fields) {
          if constexpr (requires { fields.stride; }) return fields.stride;
          return 1;
        },
        spec);
    total_stride_ *= stride;
    if (total_stride_ > resolution_.px) {
      layer.fail(fmt::format("{} is {} px, too small for the strides, whose product is {} here",
                             resolution_.where, resolution_.px, total_stride_));
    }
    macs_ += static_cast<double>(space::macs(spec));
    if (macs_ > kMaxMacs)
      layer.fail(fmt::format("the network takes more than {:g} MACs up to here", kMaxMacs));
    const int slot = static_cast<int>(description_.plan.units.size());
    description_.plan.units.push_back({slot, spec});
    description_.unit_names.push_back(name);
    shape_ = space::output_shape(spec);
  }

  [[nodiscard]] const space::LayerSpec& last_unit() const {
    return description_.plan.units.back().spec;
  }

  const JsonNode& root_;
  const StatedResolution& resolution_;
  NetworkDescription description_;
  FeatureShape shape_;  ///< what the next unit takes; 0 channels: any image
  int total_stride_ = 1;
  double macs_ = 0.0;
};

}  // namespace

NetworkDescription read_description(const JsonNode& root, const StatedResolution& resolution) {
  return Reader(root, resolution).read();
}

}  // namespace omnifit::formats::detail
