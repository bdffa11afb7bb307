#include "latency_lut/detail/unit_work.hpp"

#include "space/costs.hpp"

namespace omnifit::latency::detail {
namespace {

double elements(const space::FeatureShape& shape) {
  return static_cast<double>(shape.channels) * shape.px * shape.px;
}

}  // namespace

UnitShape unit_shape(const space::LayerSpec& spec) {
  return std::visit(
      space::Overloaded{
          [](const space::ConvSpec& s) {
            return UnitShape{0, s.kernel_size, s.stride, s.act, 0};
          },
          [](const space::MbConvSpec& s) {
            return UnitShape{s.mid_channels, s.kernel_size, s.stride, s.act, s.se_channels};
          },
          [](const space::PoolSpec&) { return UnitShape{}; },
          [](const space::LinearSpec&) { return UnitShape{}; },
          [](const space::BottleneckSpec& s) {
            return UnitShape{s.mid_channels, s.kernel_size, s.stride, s.act, 0};
          },
          [](const space::MaxPoolSpec& s) {
            return UnitShape{0, s.kernel_size, s.stride, space::Act::kNone, 0};
          },
      },
      spec);
}

UnitWork unit_work(const space::LayerSpec& spec) {
  UnitWork work;
  work.macs = static_cast<double>(space::macs(spec));
  work.params = static_cast<double>(space::params_count(spec));
  work.elements_moved = work.params;
  for (const space::Op& op : space::ops(spec)) {
    work.elements_moved += elements(op.in) + elements(op.out);
    if (op.kind != space::Op::Kind::kDepthwiseConv) continue;
    work.depthwise_macs += elements(op.out) * op.kernel_size * op.kernel_size;
  }
  return work;
}

}  // namespace omnifit::latency::detail
