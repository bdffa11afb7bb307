#pragma once

#include "formats/folded_network.hpp"
#include "supernet/ops/kernel_choice.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace at {
class Tensor;
}

namespace omnifit::supernet {

struct StaticParts;

/// A standalone network ready to run: a folded network as tensors, executed by the same code as the
/// supernet. Forward only. Move-only; concurrent forward passes are safe.
class StaticNetwork {
 public:
  /// Copies the weights. @throws DataError if the folded network is not complete.
  explicit StaticNetwork(const formats::FoldedNetwork& network);
  /// Takes what fold() made.
  explicit StaticNetwork(StaticParts parts);
  StaticNetwork(StaticNetwork&&) noexcept;
  StaticNetwork& operator=(StaticNetwork&&) noexcept;
  ~StaticNetwork();

  /// Random weights for any units, also a single one: for timing, where values do not matter.
  static StaticNetwork random(const space::NetworkPlan& plan, std::uint64_t seed);

  /// @param x [n, c, px, px] of the first unit. @return logits [n, classes], or the last unit's [n,
  /// c, h, w]. No gradient.
  ///   With kLibTorch only LibTorch's operators run, so the call can be traced.
  [[nodiscard]] at::Tensor forward(const at::Tensor& x,
                                   ops::Kernels kernels = ops::Kernels::kLibTorch) const;

  [[nodiscard]] const space::NetworkPlan& plan() const;
  /// Weights by their FoldedNetwork names and in that order; the very tensors forward() uses.
  [[nodiscard]] const std::vector<std::pair<std::string, at::Tensor>>& tensors() const;
  /// Moves the weights to a device ("cpu", "cuda").
  void to_device(const std::string& device);
  [[nodiscard]] formats::FoldedNetwork folded() const;

 private:
  StaticNetwork() = default;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace omnifit::supernet
