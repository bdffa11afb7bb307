#include "core/error.hpp"
#include "formats/detail/described_units.hpp"
#include "formats/network_description.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>
#include <utility>

namespace omnifit::formats {

namespace {

using nlohmann::ordered_json;
using space::Act;

[[noreturn]] void fail(const std::string& name, const std::string& message) {
  throw DataError(fmt::format("{}: the reference cannot have it: {}", name, message));
}

ordered_json act_json(Act act) {
  return act == Act::kNone ? ordered_json(nullptr) : ordered_json(space::act_name(act));
}

/// Whole ratios as integers, as the reference writes them.
ordered_json ratio_json(int numerator, int denominator) {
  if (numerator % denominator == 0) return numerator / denominator;
  return static_cast<double>(numerator) / denominator;
}

/// Keys that every layer has but no unit of ours needs.
ordered_json plain_layer(bool batch_norm, Act act, double dropout_prob) {
  ordered_json json{{"use_bn", batch_norm}, {"act_func", act_json(act)}};
  // The reference writes 0 for none, not 0.0.
  json["dropout_rate"] = dropout_prob == 0.0 ? ordered_json(0) : ordered_json(dropout_prob);
  json["ops_order"] = "weight_bn_act";
  return json;
}

ordered_json identity_json(int channels) {
  ordered_json json{
      {"name", "IdentityLayer"}, {"in_channels", channels}, {"out_channels", channels}};
  json.update(plain_layer(false, Act::kNone, 0.0));
  return json;
}

ordered_json conv_json(const std::string& name, const space::ConvSpec& spec) {
  if (spec.in_channels < 1) fail(name, "no input channels");
  ordered_json json{{"name", "ConvLayer"},
                    {"kernel_size", spec.kernel_size},
                    {"stride", spec.stride},
                    {"dilation", 1},
                    {"groups", 1},
                    {"bias", spec.bias},
                    {"has_shuffle", false},
                    {"use_se", false},
                    {"in_channels", spec.in_channels},
                    {"out_channels", spec.out_channels}};
  json.update(plain_layer(spec.batch_norm, spec.act, 0.0));
  return json;
}

ordered_json residual_json(ordered_json conv, ordered_json shortcut) {
  return {{"name", "ResidualBlock"}, {"conv", std::move(conv)}, {"shortcut", std::move(shortcut)}};
}

ordered_json mbconv_json(const std::string& name, const space::MbConvSpec& spec) {
  const int squeezed = space::squeeze_channels(spec.mid_channels);
  if (spec.se_channels != 0 && spec.se_channels != squeezed) {
    fail(name, fmt::format("squeeze-excite of {} channels on {}, allowed: {}", spec.se_channels,
                           spec.mid_channels, squeezed));
  }
  // An expand ratio of 1 stands for no expand convolution; one that does not widen has no ratio.
  ordered_json ratio = 1;
  if (spec.expand) {
    ratio = spec.mid_channels == spec.in_channels ? ordered_json(nullptr)
                                                  : ratio_json(spec.mid_channels, spec.in_channels);
  }
  return residual_json(
      {{"name", "MBConvLayer"},
       {"in_channels", spec.in_channels},
       {"out_channels", spec.out_channels},
       {"kernel_size", spec.kernel_size},
       {"stride", spec.stride},
       {"expand_ratio", std::move(ratio)},
       {"mid_channels", spec.expand ? ordered_json(spec.mid_channels) : ordered_json(nullptr)},
       {"act_func", act_json(spec.act)},
       {"use_se", spec.se_channels != 0},
       {"groups", nullptr}},
      spec.shortcut ? identity_json(spec.in_channels) : ordered_json(nullptr));
}

ordered_json bottleneck_json(const std::string& name, const space::BottleneckSpec& spec) {
  const int divisible = space::make_divisible(spec.mid_channels);
  if (spec.mid_channels != divisible)
    fail(name, fmt::format("middle width {}, allowed: {}", spec.mid_channels, divisible));
  const bool same_shape = spec.stride == 1 && spec.in_channels == spec.out_channels;
  if (same_shape != (spec.downsample == space::Downsample::kNone)) {
    fail(name, fmt::format("downsample '{}' of {} to {} channels with stride {}",
                           space::downsample_name(spec.downsample), spec.in_channels,
                           spec.out_channels, spec.stride));
  }
  const auto mode = spec.downsample == space::Downsample::kNone ? space::Downsample::kAvgPoolConv
                                                                : spec.downsample;
  return {{"name", "ResNetBottleneckBlock"},
          {"in_channels", spec.in_channels},
          {"out_channels", spec.out_channels},
          {"kernel_size", spec.kernel_size},
          {"stride", spec.stride},
          {"expand_ratio", ratio_json(spec.mid_channels, spec.out_channels)},
          {"mid_channels", spec.mid_channels},
          {"act_func", act_json(spec.act)},
          {"groups", 1},
          {"downsample_mode", space::downsample_name(mode)}};
}

ordered_json zero_block_json(int channels) {
  return residual_json({{"name", "ZeroLayer"}}, identity_json(channels));
}

ordered_json linear_json(const space::LinearSpec& spec, double dropout_prob) {
  ordered_json json{{"name", "LinearLayer"},
                    {"in_features", spec.in_features},
                    {"out_features", spec.out_features},
                    {"bias", true}};
  json.update(plain_layer(false, Act::kNone, dropout_prob));
  return json;
}

/// N of "blocks.N".
std::size_t block_number(const std::string& name) {
  const std::size_t dot = name.find('.');
  std::size_t number = 0;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + dot + 1, end, number);
  OMNIFIT_CHECK(dot != std::string::npos && error == std::errc{} && rest == end,
                "'{}' has no number", name);
  return number;
}

class Writer {
 public:
  explicit Writer(const NetworkDescription& description)
      : description_(description),
        names_(detail::reference_names(description.family, description.plan)) {
    OMNIFIT_CHECK(description.unit_names.size() == names_.size(), "{} names of {} units",
                  description.unit_names.size(), names_.size());
  }

  std::string write() {
    json_["name"] = network_family_name(description_.family);
    json_["bn"] = {{"momentum", description_.batch_norm.momentum},
                   {"eps", description_.batch_norm.eps},
                   {"ws_eps", nullptr}};
    for (std::size_t unit = 0; unit < names_.size(); ++unit) {
      std::visit([&](const auto& spec) { add(unit, spec); }, description_.plan.units[unit].spec);
    }
    if (!json_.contains("feature_mix_layer") &&
        description_.family == NetworkFamily::kProxylessNas) {
      json_["feature_mix_layer"] = nullptr;
    }
    return json_.dump(4) + "\n";
  }

 private:
  void add(std::size_t unit, const space::ConvSpec& spec) {
    const std::string& name = names_[unit];
    ordered_json conv = conv_json(name, spec);
    if (description_.family == NetworkFamily::kResNet) {
      json_["input_stem"].push_back(
          spec.shortcut ? residual_json(std::move(conv), identity_json(spec.in_channels))
                        : std::move(conv));
    } else if (spec.shortcut) {
      fail(name, "a shortcut around a convolution");
    } else {
      json_[name] = std::move(conv);
    }
    if (unit == 0 && description_.family != NetworkFamily::kResNet)
      json_["blocks"] = ordered_json::array();
  }

  void add(std::size_t unit, const space::MaxPoolSpec& spec) {
    if (spec.kernel_size != 3 || spec.stride != 2) {
      fail(names_[unit], fmt::format("kernel size {} and stride {}, allowed: 3 and 2",
                                     spec.kernel_size, spec.stride));
    }
    json_["blocks"] = ordered_json::array();
  }

  void add(std::size_t unit, const space::BottleneckSpec& spec) {
    json_["blocks"].push_back(bottleneck_json(names_[unit], spec));
  }

  void add(std::size_t unit, const space::MbConvSpec& spec) {
    ordered_json& blocks = json_["blocks"];
    // Numbers without a unit are blocks that do nothing.
    const std::size_t number = block_number(description_.unit_names[unit]);
    while (blocks.size() < number) blocks.push_back(zero_block_json(spec.in_channels));
    blocks.push_back(mbconv_json(names_[unit], spec));
  }

  void add(std::size_t, const space::PoolSpec&) {}

  void add(std::size_t unit, const space::LinearSpec& spec) {
    json_[names_[unit]] = linear_json(spec, description_.dropout_prob);
  }

  const NetworkDescription& description_;
  std::vector<std::string> names_;
  ordered_json json_;
};

}  // namespace

std::string network_description_json(const NetworkDescription& description) {
  return Writer(description).write();
}

}  // namespace omnifit::formats
