#pragma once

#include "space/lower.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace omnifit::supernet {

/// What a tensor of the state dict is, which decides how it starts and whether weight decay
/// applies.
enum class TensorRole {
  kConvWeight,
  kLinearWeight,
  kKernelMatrix,
  kNormWeight,
  kBias,
  kRunningMean,
  kRunningVar,
  kNumBatchesTracked
};

/// Name, shape and role of one tensor of a slot.
struct TensorEntry {
  std::string name;
  std::vector<std::int64_t> shape;
  TensorRole role = TensorRole::kConvWeight;
};

/// Prefixes of the layers of a block, as in the reference's state dict: elastic layers wrap the
/// plain ones, which doubles the names ("conv.conv.weight", "bn.bn.weight").
struct LayerNames {
  std::string conv;  ///< prefix of "weight" and "bias"
  std::string norm;  ///< prefix of the five batch-norm tensors
};
LayerNames conv_names(const space::Slot& slot);
LayerNames expand_names(const space::Slot& slot);
LayerNames depthwise_names(const space::Slot& slot);
LayerNames project_names(const space::Slot& slot);
/// Convolution 1, 2 or 3 of a bottleneck block, and the one of its shortcut.
LayerNames bottleneck_names(const space::Slot& slot, int conv);
LayerNames downsample_names(const space::Slot& slot);
/// Prefix of "weight" and "bias" of a linear slot.
std::string linear_prefix(const space::Slot& slot);
/// "blocks.3.conv.depth_conv.conv.5to3_matrix": maps kernels of size `from` to size `to`.
std::string kernel_matrix_name(const space::Slot& slot, int from, int to);
std::string squeeze_excite_prefix(const space::Slot& slot);

/// Every tensor of a slot in the reference's order.
std::vector<TensorEntry> tensor_entries(const space::Slot& slot);

}  // namespace omnifit::supernet
