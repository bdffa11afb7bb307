#pragma once

#include "formats/tensor_file.hpp"
#include "space/plan.hpp"

#include <string>
#include <vector>

namespace omnifit::formats {

/// A standalone network: a plan and its float32 weights with batch norm folded into convolutions.
/// With plan.io.num_classes == 0 it is a part of a network, down to a single unit, that gives
/// features.
///
/// Tensors are named "units.<i>.<part>" with i the index into plan.units. Parts by spec kind:
///   conv    weight [out, in, k, k],
///           bias [out] (absent only if the spec has neither batch norm nor bias)
///   mbconv  expand.weight [mid, in, 1, 1], expand.bias [mid] (if spec.expand);
///           depthwise.weight [mid, 1, k, k], depthwise.bias [mid];
///           se.reduce.weight [se, mid, 1, 1], se.reduce.bias [se],
///           se.expand.weight [mid, se, 1, 1], se.expand.bias [mid] (if se_channels > 0);
///           project.weight [out, mid, 1, 1], project.bias [out]
///   linear  weight [out, in], bias [out]
///   bottleneck  conv1.weight [mid, in, 1, 1], conv1.bias [mid];
///           conv2.weight [mid, mid, k, k], conv2.bias [mid];
///           conv3.weight [out, mid, 1, 1], conv3.bias [out];
///           downsample.weight [out, in, 1, 1], downsample.bias [out] (unless the shortcut is the
///           identity)
/// Squeeze-excite sits after the depthwise activation: y = mean over pixels; relu(reduce);
/// relu6(expand + 3) / 6; x * y.
struct FoldedNetwork {
  space::NetworkPlan plan;
  std::vector<NamedTensor> tensors;  ///< in the order above

  /// @throws DataError listing every missing, extra, misshapen or not finite tensor, and every unit
  /// of the plan that does not take what the one before gives.
  void validate() const;
  [[nodiscard]] const NamedTensor& tensor(int unit, std::string_view part) const;
};

/// Names and shapes a folded network of this plan must have, in order.
struct TensorShape {
  std::string name;
  std::vector<std::int64_t> shape;
};
std::vector<TensorShape> folded_tensor_shapes(const space::NetworkPlan& plan);

}  // namespace omnifit::formats
