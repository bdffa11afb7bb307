#pragma once

#include "core/rng.hpp"
#include "formats/folded_network.hpp"

#include <cmath>
#include <utility>
#include <vector>

namespace omnifit::test {

/// Random weights scaled so that values stay of order one through the network.
inline formats::FoldedNetwork random_network(space::NetworkPlan plan, core::Rng& rng) {
  formats::FoldedNetwork network{std::move(plan), {}};
  for (const formats::TensorShape& shape : formats::folded_tensor_shapes(network.plan)) {
    std::int64_t fan_in = 1;
    for (std::size_t i = 1; i < shape.shape.size(); ++i) fan_in *= shape.shape[i];
    const bool bias = shape.shape.size() == 1;
    const double scale = bias ? 0.5 : std::sqrt(2.0 / static_cast<double>(fan_in));
    std::vector<float> values(static_cast<std::size_t>(shape.shape[0] * fan_in));
    for (float& value : values) value = static_cast<float>(scale * rng.normal());
    network.tensors.push_back(formats::NamedTensor::from_floats(shape.name, shape.shape, values));
  }
  return network;
}

/// A bottleneck block that follows features of this shape.
inline space::BottleneckSpec random_bottleneck(const space::FeatureShape& in, core::Rng& rng) {
  space::BottleneckSpec spec;
  spec.in_channels = in.channels;
  spec.mid_channels = rng.bernoulli(0.5) ? 2 : 4;
  spec.kernel_size = rng.bernoulli(0.5) ? 3 : 1;
  spec.in_px = in.px;
  spec.act = static_cast<space::Act>(rng.below(4));
  spec.downsample = static_cast<space::Downsample>(rng.below(3));
  const bool identity = spec.downsample == space::Downsample::kNone;
  spec.stride = identity || rng.bernoulli(0.3) ? 1 : 2;
  spec.out_channels = identity || rng.bernoulli(0.3) ? in.channels : 8;
  return spec;
}

/// A plan that may hold anything the unit kinds allow: every activation, squeeze-excite, shortcuts,
/// strides, kernels, blocks without expansion, bottlenecks, convolutions with batch norm, bias or
/// neither, heads after the pool.
inline space::NetworkPlan random_plan(core::Rng& rng) {
  const auto pick = [&rng](std::initializer_list<int> values) {
    return *(values.begin() + rng.below(values.size()));
  };
  const auto pick_act = [&rng] { return static_cast<space::Act>(rng.below(4)); };

  space::NetworkPlan plan;
  plan.io = {pick({1, 3}), pick({2, 5, 10})};
  plan.resolution_px = pick({7, 8, 12, 15, 16});
  space::FeatureShape at{plan.io.in_channels, plan.resolution_px};
  const auto add = [&](const space::LayerSpec& spec) {
    plan.units.push_back({static_cast<int>(plan.units.size()), spec});
    at = space::output_shape(spec);
  };
  const auto conv = [&](int out, int kernel_size, int stride) {
    const bool batch_norm = rng.bernoulli(0.5);
    const bool bias = !batch_norm && rng.bernoulli(0.5);
    const bool shortcut = stride == 1 && out == at.channels && rng.bernoulli(0.5);
    add(space::ConvSpec{at.channels, out, kernel_size, stride, at.px, pick_act(), batch_norm, bias,
                        shortcut});
  };

  conv(pick({4, 8}), pick({1, 3, 5}), pick({1, 2}));
  if (rng.bernoulli(0.3)) conv(at.channels, 3, 1);
  if (rng.bernoulli(0.3))
    add(space::MaxPoolSpec{at.channels, pick({1, 3, 5}), pick({1, 2}), at.px});
  const int blocks = pick({1, 2, 3, 4});
  for (int i = 0; i < blocks; ++i) {
    if (rng.bernoulli(0.3)) {
      add(random_bottleneck(at, rng));
      continue;
    }
    space::MbConvSpec spec;
    spec.in_channels = at.channels;
    spec.expand = rng.bernoulli(0.75);
    spec.mid_channels = spec.expand ? at.channels * pick({2, 3}) : at.channels;
    spec.stride = pick({1, 1, 2});
    spec.out_channels = pick({at.channels, 6, 8});
    spec.kernel_size = pick({3, 5, 7});
    spec.in_px = at.px;
    spec.act = pick_act();
    spec.se_channels = rng.bernoulli(0.5) ? pick({2, 4}) : 0;
    spec.shortcut =
        spec.stride == 1 && spec.in_channels == spec.out_channels && rng.bernoulli(0.75);
    add(spec);
  }
  if (rng.bernoulli(0.5)) conv(pick({8, 12}), 1, 1);
  add(space::PoolSpec{at.channels, at.px});
  if (rng.bernoulli(0.5)) conv(pick({8, 16}), 1, 1);
  add(space::LinearSpec{at.channels, plan.io.num_classes});
  return plan;
}

/// The plan the golden texts are about: one of each unit kind of mbconv networks, squeeze-excite
/// and shortcut included.
inline space::NetworkPlan small_plan() {
  return {{3, 5},
          8,
          {{0, space::ConvSpec{3, 4, 3, 2, 8, space::Act::kHSwish, true, false}},
           {1, space::MbConvSpec{4, 8, 4, 5, 1, 4, space::Act::kRelu6, 2, true, true}},
           {2, space::ConvSpec{4, 6, 1, 1, 4, space::Act::kRelu, false, false}},
           {3, space::PoolSpec{6, 4}},
           {4, space::LinearSpec{6, 5}}}};
}

/// The same for bottleneck networks: a residual stem layer, both kinds of shortcut.
inline space::NetworkPlan small_bottleneck_plan() {
  using space::Act;
  using space::Downsample;
  return {{3, 5},
          16,
          {{0, space::ConvSpec{3, 4, 3, 2, 16, Act::kRelu, true, false}},
           {1, space::ConvSpec{4, 4, 3, 1, 8, Act::kRelu, true, false, true}},
           {2, space::MaxPoolSpec{4, 3, 2, 8}},
           {3, space::BottleneckSpec{4, 2, 8, 3, 2, 4, Act::kRelu, Downsample::kAvgPoolConv}},
           {4, space::BottleneckSpec{8, 2, 8, 3, 1, 2, Act::kRelu, Downsample::kNone}},
           {5, space::PoolSpec{8, 2}},
           {6, space::LinearSpec{8, 5}}}};
}

/// `count` random images [count, c, px, px] for a plan.
inline formats::NamedTensor random_images(const space::NetworkPlan& plan, int count,
                                          core::Rng& rng) {
  const std::vector<std::int64_t> shape{count, plan.io.in_channels, plan.resolution_px,
                                        plan.resolution_px};
  std::vector<float> values(static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3]));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return formats::NamedTensor::from_floats("images", shape, values);
}

}  // namespace omnifit::test
