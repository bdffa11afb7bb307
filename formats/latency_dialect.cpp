#include "formats/latency_dialect.hpp"

#include "core/error.hpp"
#include "core/fields.hpp"

#include <string_view>

namespace omnifit::formats {
namespace {

using space::FeatureShape;

const core::EnumTable<LatencyDialect>& dialect_table() {
  static const core::EnumTable<LatencyDialect> table{
      {LatencyDialect::kOnceForAll, "once_for_all"},
      {LatencyDialect::kProxylessNas, "proxylessnas"},
      {LatencyDialect::kNsgaNetV2, "nsganetv2"}};
  return table;
}

std::string shape_text(const FeatureShape& shape) {
  return fmt::format("{0}x{0}x{1}", shape.px, shape.channels);
}

std::string shapes_text(std::string_view name, const space::LayerSpec& spec) {
  return fmt::format("{}-input:{}-output:{}", name, shape_text(space::input_shape(spec)),
                     shape_text(space::output_shape(spec)));
}

/// Stems, the 1×1 conv before the pool and the one after it have names of their own.
std::string conv_name(LatencyDialect dialect, const space::ConvSpec& spec) {
  const bool nsganet = dialect == LatencyDialect::kNsgaNetV2;
  if (spec.kernel_size > 1) return nsganet ? "first_conv" : "Conv";
  if (spec.in_px > 1) return nsganet ? "final_expand_layer" : "Conv_1";
  return nsganet ? "feature_mix_layer" : "Conv_2";
}

std::optional<ForeignKey> block_key(LatencyDialect dialect, const space::MbConvSpec& spec) {
  const bool channels = dialect == LatencyDialect::kOnceForAll;
  if (!channels && spec.mid_channels % spec.in_channels != 0) return std::nullopt;
  const int expand = channels ? spec.mid_channels : spec.mid_channels / spec.in_channels;
  std::string key = shapes_text(dialect == LatencyDialect::kNsgaNetV2 ? "MBConv" : "expanded_conv",
                                space::LayerSpec(spec));
  key += fmt::format("-expand:{}-kernel:{}-stride:{}-idskip:{:d}", expand, spec.kernel_size,
                     spec.stride, spec.shortcut);
  if (dialect != LatencyDialect::kProxylessNas)
    key += fmt::format("-se:{:d}", spec.se_channels > 0);
  if (channels) key += fmt::format("-hs:{:d}", spec.act == space::Act::kHSwish);
  return ForeignKey{key};
}

/// ProxylessNAS times pool and classifier as one operator, whose key needs the pool's input.
ForeignKey pool_key(LatencyDialect dialect, const space::PoolSpec& spec, const space::TaskIo& io) {
  switch (dialect) {
    case LatencyDialect::kOnceForAll:
      return {shapes_text("AvgPool2D", space::LayerSpec(spec))};
    case LatencyDialect::kProxylessNas:
      return {fmt::format("Logits-input:{0}x{0}x{1}-output:{2}", spec.in_px, spec.channels,
                          io.num_classes)};
    case LatencyDialect::kNsgaNetV2:
      return {};
  }
  return {};
}

ForeignKey classifier_key(LatencyDialect dialect, const space::LinearSpec& spec) {
  switch (dialect) {
    case LatencyDialect::kOnceForAll:
      return {fmt::format("Logits-input:1x1x{}-output:{}", spec.in_features, spec.out_features)};
    case LatencyDialect::kProxylessNas:
      return {};
    case LatencyDialect::kNsgaNetV2:
      return {fmt::format("classifier-input:{}-output:{}", spec.in_features, spec.out_features)};
  }
  return {};
}

}  // namespace

const std::string& latency_dialect_name(LatencyDialect dialect) {
  return core::enum_name(dialect_table(), dialect);
}

const std::vector<LatencyDialect>& latency_dialects() {
  static const std::vector<LatencyDialect> dialects{
      LatencyDialect::kOnceForAll, LatencyDialect::kProxylessNas, LatencyDialect::kNsgaNetV2};
  return dialects;
}

std::optional<ForeignKey> foreign_latency_key(LatencyDialect dialect, const space::LayerSpec& spec,
                                              const space::TaskIo& io) {
  return std::visit(space::Overloaded{
                        [&](const space::ConvSpec& s) -> std::optional<ForeignKey> {
                          return ForeignKey{shapes_text(conv_name(dialect, s), spec)};
                        },
                        [&](const space::MbConvSpec& s) { return block_key(dialect, s); },
                        [&](const space::PoolSpec& s) -> std::optional<ForeignKey> {
                          return pool_key(dialect, s, io);
                        },
                        [&](const space::LinearSpec& s) -> std::optional<ForeignKey> {
                          return classifier_key(dialect, s);
                        },
                        [](const auto&) -> std::optional<ForeignKey> { return std::nullopt; },
                    },
                    spec);
}

}  // namespace omnifit::formats
