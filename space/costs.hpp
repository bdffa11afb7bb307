#pragma once

#include "space/plan.hpp"

#include <cstdint>

namespace omnifit::space {

/// Multiply-accumulates of convolutions and linear layers at batch 1 (squeeze-excite included;
/// batch norm, activations, pools and biases are free), as the reference counts.
std::int64_t macs(const LayerSpec& spec);
std::int64_t macs(const NetworkPlan& plan);

/// Trainable parameters: convolution, linear and bias weights, batch-norm scale and shift (not
/// running statistics).
std::int64_t params_count(const LayerSpec& spec);
std::int64_t params_count(const NetworkPlan& plan);

/// Largest sum of input and output elements over the primitive operators, times `element_bytes`;
/// inside a block with a shortcut its input is held during the depthwise convolution. A bottleneck
/// holds its input until the third convolution is done, and what that gives while downsampling.
std::int64_t peak_activation_bytes(const NetworkPlan& plan, int element_bytes = 4);

/// Bytes of the weights with batch norm folded.
std::int64_t model_bytes(const NetworkPlan& plan, int element_bytes = 4);

}  // namespace omnifit::space
