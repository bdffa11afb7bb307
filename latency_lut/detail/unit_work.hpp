#pragma once

#include "space/plan.hpp"

namespace omnifit::latency::detail {

/// Numbers of a unit that not every kind of spec has; where there is none, the neutral value.
struct UnitShape {
  int mid_channels = 0;
  int kernel_size = 1;
  int stride = 1;
  space::Act act = space::Act::kNone;
  int se_channels = 0;
};
UnitShape unit_shape(const space::LayerSpec& spec);

/// What running a unit means to a machine.
struct UnitWork {
  double macs = 0.0;            ///< multiply-accumulates, all of them
  double depthwise_macs = 0.0;  ///< those of depthwise convolutions
  double elements_moved = 0.0;  ///< activations read and written by all operators, and weights read
  double params = 0.0;          ///< weights
};
UnitWork unit_work(const space::LayerSpec& spec);

}  // namespace omnifit::latency::detail
