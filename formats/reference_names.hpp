#pragma once

#include "formats/folded_network.hpp"
#include "formats/tensor_file.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::formats {

/// The one name that all spellings of a tensor of the Once-for-All reference share. Its first
/// generation says "mobile_inverted_conv" where the later one says "conv"; elastic layers wrap
/// plain ones, which doubles "conv.", "bn." and "linear.".
std::string reference_name(std::string_view name);

/// The tensors of a network as found in a state dict of the reference.
struct ReferenceState {
  std::vector<NamedTensor> tensors;  ///< as wanted: names, order, shapes; float32 or int64
  /// Wanted tensors that the file does not have and whose neutral value stands in: a counter of
  /// batches (zero) always; kernel matrices (identity) where the file has none at all, as before
  /// elastic kernels are trained.
  std::vector<std::string> filled;
};

/// The tensor that `name` is in `state`, in whatever spelling, or null. Where several match, the
/// first.
const NamedTensor* find_reference_tensor(const TensorFile& state, std::string_view name);

/// Takes `wanted` out of `state`, whose names may be of either generation, elastic or static.
/// @throws DataError "WHERE: …", one line that lists every missing, extra, misshapen, not finite
/// and ambiguous tensor.
ReferenceState match_reference_state(const TensorFile& state,
                                     const std::vector<TensorShape>& wanted,
                                     const std::string& where);

}  // namespace omnifit::formats
