#include "space/costs.hpp"

#include <algorithm>
#include <array>

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

std::vector<Op> conv_ops(const ConvSpec& spec) {
  const FeatureShape out = output_shape(spec);
  std::vector<Op> ops{{.kind = Kind::kConv,
                       .in = input_shape(spec),
                       .out = out,
                       .kernel_size = spec.kernel_size,
                       .stride = spec.stride,
                       .act = spec.act,
                       .batch_norm = spec.batch_norm,
                       .bias = spec.bias}};
  if (spec.shortcut) ops.push_back({.kind = Kind::kAdd, .in = out, .out = out});
  return ops;
}

void add_downsample_ops(const BottleneckSpec& spec, std::vector<Op>& ops) {
  if (spec.downsample == Downsample::kNone) return;
  FeatureShape in = input_shape(spec);
  const FeatureShape out = output_shape(spec);
  const bool pooled = spec.downsample == Downsample::kAvgPoolConv;
  if (pooled && spec.stride > 1) {
    const FeatureShape small{spec.in_channels, out.px};
    ops.push_back({.kind = Kind::kAveragePool,
                   .in = in,
                   .out = small,
                   .kernel_size = spec.stride,
                   .stride = spec.stride,
                   .beside = true});
    in = small;
  }
  ops.push_back({.kind = Kind::kConv,
                 .in = in,
                 .out = out,
                 .stride = pooled ? 1 : spec.stride,
                 .batch_norm = true,
                 .beside = true});
}

std::vector<Op> bottleneck_ops(const BottleneckSpec& spec) {
  const FeatureShape out = output_shape(spec);
  const FeatureShape squeezed{spec.mid_channels, spec.in_px};
  const FeatureShape filtered{spec.mid_channels, out.px};
  std::vector<Op> ops{
      {.kind = Kind::kConv,
       .in = input_shape(spec),
       .out = squeezed,
       .act = spec.act,
       .batch_norm = true},
      {.kind = Kind::kConv,
       .in = squeezed,
       .out = filtered,
       .kernel_size = spec.kernel_size,
       .stride = spec.stride,
       .act = spec.act,
       .batch_norm = true},
      {.kind = Kind::kConv, .in = filtered, .out = out, .batch_norm = true},
  };
  add_downsample_ops(spec, ops);
  ops.push_back({.kind = Kind::kAdd, .in = out, .out = out, .act = spec.act});
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
    case Kind::kMaxPool:
    case Kind::kAveragePool:
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

/// What waits while an operator of a block with two paths runs. `first`: it reads the block's
/// input.
std::int64_t held_elements(const LayerSpec& spec, const Op& op, bool first) {
  if (const auto* block = std::get_if<MbConvSpec>(&spec)) {
    const bool held = block->shortcut && op.kind == Kind::kDepthwiseConv;
    return held ? elements(input_shape(spec)) : 0;
  }
  if (!std::holds_alternative<BottleneckSpec>(spec)) return 0;
  if (op.beside) return elements(output_shape(spec));
  return op.kind == Kind::kConv && !first ? elements(input_shape(spec)) : 0;
}

std::int64_t peak_elements(const LayerSpec& spec) {
  std::int64_t peak = 0;
  bool first = true;
  for (const Op& op : ops(spec)) {
    peak = std::max(peak, elements(op.in) + elements(op.out) + held_elements(spec, op, first));
    first = false;
  }
  return peak;
}

template <Precision precision>
std::int64_t peak_bytes(const NetworkPlan& plan) {
  return peak_activation_bytes(plan, element_bytes(precision));
}

template <Precision precision>
std::int64_t size_bytes(const NetworkPlan& plan) {
  return model_bytes(plan, element_bytes(precision));
}
template <Precision precision>
std::int64_t size_bytes(const LayerSpec& spec) {
  return model_bytes(spec, element_bytes(precision));
}

}  // namespace

std::vector<Op> ops(const LayerSpec& spec) {
  return std::visit(Overloaded{[](const ConvSpec& s) { return conv_ops(s); },
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
                               },
                               [](const BottleneckSpec& s) { return bottleneck_ops(s); },
                               [&](const MaxPoolSpec& s) {
                                 return std::vector<Op>{{.kind = Kind::kMaxPool,
                                                         .in = input_shape(spec),
                                                         .out = output_shape(spec),
                                                         .kernel_size = s.kernel_size,
                                                         .stride = s.stride}};
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

std::int64_t model_bytes(const LayerSpec& spec, int element_bytes) {
  return element_bytes * sum_over_ops(spec, folded_params);
}

std::int64_t model_bytes(const NetworkPlan& plan, int element_bytes) {
  return sum_over_units(plan,
                        [&](const LayerSpec& spec) { return model_bytes(spec, element_bytes); });
}

std::span<const PlanCost> plan_costs() {
  static constexpr std::array<PlanCost, 6> kCosts{
      PlanCost{"macs", macs, macs},
      PlanCost{"params", params_count, params_count},
      PlanCost{"peak_memory_bytes", peak_bytes<Precision::kFloat32>, nullptr},
      PlanCost{"model_bytes", size_bytes<Precision::kFloat32>, size_bytes<Precision::kFloat32>},
      PlanCost{"peak_memory_int8_bytes", peak_bytes<Precision::kInt8>, nullptr},
      PlanCost{"model_int8_bytes", size_bytes<Precision::kInt8>, size_bytes<Precision::kInt8>}};
  return kCosts;
}

const PlanCost* find_plan_cost(std::string_view name) {
  const std::span<const PlanCost> all = plan_costs();
  const auto found = std::ranges::find(all, name, &PlanCost::name);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace omnifit::space
