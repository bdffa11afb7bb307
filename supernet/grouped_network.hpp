#pragma once

#include "supernet/static_parts.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace omnifit::supernet {

/// A folded network that runs its units over as few images at a time as keep activations in the
/// cache.
///
/// Early units have large activations and few weights, late ones the reverse. So consecutive units
/// form segments: an early segment takes a few images at a time, a late one whole batches, which
/// reads its weights once per batch. Forward only, on one thread; concurrent passes are safe.
class GroupedNetwork {
 public:
  /// Floats that the largest activation of a group should take: 2 MiB, of which the half that is
  /// in use at once fits the second-level cache.
  static constexpr std::int64_t kGroupFloats = 1 << 19;

  /// @pre group_floats >= 1
  explicit GroupedNetwork(const StaticParts& parts, std::int64_t group_floats = kGroupFloats);

  /// @param images [n, c, px, px], px the plan's resolution. @return what execute() gives for the
  /// plan. The
  ///   last bits may depend on n, through LibTorch's matrix products; nothing else does.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images) const;

  /// Units that run over the same number of images at a time. A convolution and the unit that
  /// activates what it gives are never in two segments.
  struct Segment {
    StaticParts parts;
    std::int64_t images = 1;
  };
  /// In execution order; `images` ascends.
  [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }

 private:
  std::vector<Segment> segments_;
};

}  // namespace omnifit::supernet
