#include "space/costs.hpp"

#include <algorithm>

namespace omnifit::space {

namespace {

using Kind = Op::Kind;

std::int64_t elements(const FeatureShape& shape) {
  return std::int64_t{shape.channels} * shape.px * shape.px;
}

std::vector<Op> mbconv_ops(const MbConvSpec& spec) {
  const FeatureShape in{spec.in_channels, spec.in_px};
  const FeatureShape expanded{spec.mid_channels, spec.in_px};
  const FeatureShape out = output_shape(spec);
  const FeatureShape filtered{spec.mid_channels, out.px};
  std::vector<Op> ops;
  if (spec.expand) {
    ops.push_back(
        {.kind = Kind::kConv, .in = in, .out = expanded, .act = spec.act, .batch_norm = true});
  }
  ops.push_back({.kind = Kind::kDepthwiseConv,
                 .in = expanded,
                 .out = filtered,
                 .kernel_size = spec.kernel_size,
                 .stride = spec.stride,
                 .act = spec.act,
                 .batch_norm = true});
  if (spec.se_channels > 0) {
    ops.push_back({.kind = Kind::kSqueezeExcite,
                   .in = filtered,
                   .out = filtered,
                   .bias = true,
                   .se_channels = spec.se_channels});
  }
  ops.push_back({.kind = Kind::kConv, .in = filtered, .out = out, .batch_norm = true});
  if (spec.shortcut) ops.push_back({.kind = Kind::kAdd, .in = out, .out = out});
  return ops;
}

/// Weights of the operator without biases and batch norm.
std::int64_t kernel_weights(const Op& op) {
  const std::int64_t area = std::int64_t{op.kernel_size} * op.kernel_size;
  switch (op.kind) {
    case Kind::kConv:
      return area * op.in.channels * op.out.channels;
    case Kind::kDepthwiseConv:
      return area * op.out.channels;
    case Kind::kLinear:
      return std::int64_t{op.in.channels} * op.out.channels;
    case Kind::kSqueezeExcite:
      return std::int64_t{2} * op.in.channels * op.se_channels;
    case Kind::kGlobalPool:
    case Kind::kAdd:
      return 0;
  }
  return 0;
}

std::int64_t bias_weights(const Op& op) {
  if (!op.bias) return 0;
  return op.kind == Kind::kSqueezeExcite ? op.in.channels + op.se_channels : op.out.channels;
}

std::int64_t op_macs(const Op& op) {
  // Squeeze-excite and linear layers use each weight once, convolutions once per output pixel.
  const bool slides = op.kind == Kind::kConv || op.kind == Kind::kDepthwiseConv;
  return kernel_weights(op) * (slides ? std::int64_t{op.out.px} * op.out.px : 1);
}

std::int64_t op_params(const Op& op) {
  return kernel_weights(op) + bias_weights(op) + (op.batch_norm ? 2 * op.out.channels : 0);
}

/// Folding turns scale and shift into a factor of the weights and one bias per channel.
std::int64_t folded_params(const Op& op) {
  return kernel_weights(op) + (op.batch_norm ? op.out.channels : bias_weights(op));
}

template <class OfOp>
std::int64_t sum_over_ops(const LayerSpec& spec, OfOp of_op) {
  std::int64_t total = 0;
  for (const Op& op : ops(spec)) total += of_op(op);
  return total;
}

template <class OfUnit>
std::int64_t sum_over_units(const NetworkPlan& plan, OfUnit of_unit) {
  std::int64_t total = 0;
  for (const PlanUnit& unit : plan.units) total += of_unit(unit.spec);
  return total;
}

std::int64_t peak_elements(const LayerSpec& spec) {
  const auto* block = std::get_if<MbConvSpec>(&spec);
  const std::int64_t held =
      block != nullptr && block->shortcut ? elements(input_shape(spec)) : std::int64_t{0};
  std::int64_t peak = 0;
  for (const Op& op : ops(spec)) {
    const std::int64_t extra = op.kind == Kind::kDepthwiseConv ? held : 0;
    peak = std::max(peak, elements(op.in) + elements(op.out) + extra);
  }
  return peak;
}

}  // namespace

std::vector<Op> ops(const LayerSpec& spec) {
  return std::visit(Overloaded{[&](const ConvSpec& s) {
                                 return std::vector<Op>{{.kind = Kind::kConv,
                                                         .in = input_shape(spec),
                                                         .out = output_shape(spec),
                                                         .kernel_size = s.kernel_size,
                                                         .stride = s.stride,
                                                         .act = s.act,
                                                         .batch_norm = s.batch_norm,
                                                         .bias = s.bias}};
                               },
                               [](const MbConvSpec& s) { return mbconv_ops(s); },
                               [&](const PoolSpec&) {
                                 return std::vector<Op>{{.kind = Kind::kGlobalPool,
                                                         .in = input_shape(spec),
                                                         .out = output_shape(spec)}};
                               },
                               [&](const LinearSpec&) {
                                 return std::vector<Op>{{.kind = Kind::kLinear,
                                                         .in = input_shape(spec),
                                                         .out = output_shape(spec),
                                                         .bias = true}};
                               }},
                    spec);
}

std::int64_t macs(const LayerSpec& spec) { return sum_over_ops(spec, op_macs); }

std::int64_t macs(const NetworkPlan& plan) {
  return sum_over_units(plan, [](const LayerSpec& spec) { return macs(spec); });
}

std::int64_t params_count(const LayerSpec& spec) { return sum_over_ops(spec, op_params); }

std::int64_t params_count(const NetworkPlan& plan) {
  return sum_over_units(plan, [](const LayerSpec& spec) { return params_count(spec); });
}

std::int64_t peak_activation_bytes(const NetworkPlan& plan, int element_bytes) {
  std::int64_t peak = 0;
  for (const PlanUnit& unit : plan.units) peak = std::max(peak, peak_elements(unit.spec));
  return peak * element_bytes;
}

std::int64_t model_bytes(const NetworkPlan& plan, int element_bytes) {
  return element_bytes * sum_over_units(plan, [](const LayerSpec& spec) {
           return sum_over_ops(spec, folded_params);
         });
}

}  // namespace omnifit::space
