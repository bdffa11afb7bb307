#pragma once

#include "space/plan.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace omnifit::space {

/// Multiply-accumulates of convolutions and linear layers at batch 1 (squeeze-excite included;
/// batch norm, activations, pools and biases are free), as the reference counts.
std::int64_t macs(const LayerSpec& spec);
std::int64_t macs(const NetworkPlan& plan);

/// Trainable parameters: convolution, linear and bias weights, batch-norm scale and shift (not
/// running statistics).
std::int64_t params_count(const LayerSpec& spec);
std::int64_t params_count(const NetworkPlan& plan);

/// Bytes of a number on the device: 4 in float32, 1 where weights and activations are quantised to
/// int8.
enum class Precision { kFloat32 = 4, kInt8 = 1 };
constexpr int element_bytes(Precision precision) { return static_cast<int>(precision); }

/// Peak memory of activations at batch 1 by MCUNet's rule (Lin et al., NeurIPS 2020, and its
/// repository's helper): the largest sum of input and output elements over the convolutions and the
/// classifier, times `element_bytes`; a block with a shortcut also holds its input, during the
/// depthwise convolution only. Weights are not in it (they are streamed from flash), nor are
/// buffers of a runtime, which may also save some by working in place.
///
/// Beyond that rule: pools, squeeze-excite and additions count the same way, which never decides in
/// networks of inverted residuals. A bottleneck holds its input until the third convolution is
/// done, and what that gives while downsampling.
std::int64_t peak_activation_bytes(const NetworkPlan& plan, int element_bytes = 4);

/// Bytes of the weights with batch norm folded: every weight, and one bias per normalised or biased
/// channel, of `element_bytes` each. Quantisation's scales and a runtime's code come on top.
std::int64_t model_bytes(const LayerSpec& spec, int element_bytes = 4);
std::int64_t model_bytes(const NetworkPlan& plan, int element_bytes = 4);

/// A cost that follows from the plan alone, by name.
struct PlanCost {
  const char* name;  ///< "macs", "params", "peak_memory_bytes", "model_bytes",
                     ///< "peak_memory_int8_bytes", "model_int8_bytes"
  std::int64_t (*of_plan)(const NetworkPlan& plan);
  std::int64_t (*of_unit)(const LayerSpec& spec);  ///< null: the plan's is not the units' sum
};

/// All of them, in the order tables show them.
std::span<const PlanCost> plan_costs();
/// The one of that name, or null.
const PlanCost* find_plan_cost(std::string_view name);

}  // namespace omnifit::space
