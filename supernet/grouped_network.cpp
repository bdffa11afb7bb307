#include "supernet/grouped_network.hpp"

#include "core/error.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <bit>

namespace omnifit::supernet {
namespace {

std::int64_t floats(const space::FeatureShape& shape) {
  return std::int64_t{shape.channels} * shape.px * shape.px;
}

/// Of one image: the unit's largest activation.
std::int64_t largest_activation(const space::LayerSpec& spec) {
  std::int64_t largest = 1;
  for (const space::Op& op : space::ops(spec)) {
    largest = std::max({largest, floats(op.in), floats(op.out)});
  }
  return largest;
}

/// Whether what the unit gives is still to be shifted and activated by whoever reads it. At the end
/// of a segment LibTorch would do that, which rounds differently than the fused readers.
bool leaves_work(const space::LayerSpec& spec) {
  const auto* conv = std::get_if<space::ConvSpec>(&spec);
  return conv != nullptr && !conv->shortcut;
}

/// Images at a time for every unit: powers of two, so that neighbours agree, and never fewer than
/// before, so that no unit waits for others to fill its group. What a unit gets does not depend on
/// units before it, except for the reader of a convolution, which belongs to the same segment.
std::vector<std::int64_t> group_sizes(const space::NetworkPlan& plan, std::int64_t group_floats) {
  std::vector<std::int64_t> sizes;
  for (const space::PlanUnit& unit : plan.units) {
    const std::int64_t images =
        std::max<std::int64_t>(group_floats / largest_activation(unit.spec), 1);
    sizes.push_back(static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(images))));
  }
  for (std::size_t i = sizes.size(); i-- > 1;) sizes[i - 1] = std::min(sizes[i - 1], sizes[i]);
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    if (leaves_work(plan.units[i - 1].spec)) sizes[i] = sizes[i - 1];
  }
  return sizes;
}

at::Tensor run(const GroupedNetwork::Segment& segment, const at::Tensor& x) {
  const std::int64_t count = x.size(0);
  const auto pass = [&](const at::Tensor& images) {
    return execute(segment.parts.plan, segment.parts.weights, images, {});
  };
  if (count <= segment.images) return pass(x);
  std::vector<at::Tensor> groups;
  for (std::int64_t first = 0; first < count; first += segment.images) {
    groups.push_back(pass(x.narrow(0, first, std::min(segment.images, count - first))));
  }
  return at::cat(groups);
}

}  // namespace

GroupedNetwork::GroupedNetwork(const StaticParts& parts, std::int64_t group_floats) {
  OMNIFIT_CHECK(group_floats >= 1, "groups of {} floats", group_floats);
  const std::vector<std::int64_t> sizes = group_sizes(parts.plan, group_floats);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (segments_.empty() || segments_.back().images != sizes[i]) {
      Segment segment;
      segment.images = sizes[i];
      segment.parts.plan.io = parts.plan.io;
      segment.parts.plan.resolution_px = parts.plan.resolution_px;
      segments_.push_back(std::move(segment));
    }
    segments_.back().parts.plan.units.push_back(parts.plan.units[i]);
    segments_.back().parts.weights.push_back(parts.weights[i]);
  }
}

at::Tensor GroupedNetwork::forward(const at::Tensor& images) const {
  const at::NoGradGuard no_grad;
  at::Tensor x = images.contiguous(at::MemoryFormat::ChannelsLast);
  for (const Segment& segment : segments_) x = run(segment, x);
  return x;
}

}  // namespace omnifit::supernet
