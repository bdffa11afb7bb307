#pragma once

#include "formats/folded_network.hpp"
#include "space/lower.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace at {
class Tensor;
}

namespace omnifit::supernet {

/// Batch-norm statistics of one subnet: a value, so that many subnets are calibrated and evaluated
/// at once over one set of weights. One entry per batch norm the plan executes, in execution order.
class BnStats;

/// The weight-sharing network of a space. Which subnet runs is an argument of forward(), never
/// hidden state, so concurrent forward passes without gradient are safe. Tensor names and shapes
/// equal the reference's state dict (see docs/file_formats.md). Move-only.
///
/// One block implementation serves elastic and static networks: a static network is a Supernet
/// whose every slot has one choice.
class Supernet {
 public:
  /// Random weights: conv N(0, sqrt(2 / (k² · out))), linear U(±1/sqrt(in)), kernel matrices
  /// identity. Same seed, same weights.
  Supernet(const space::SearchSpace& space, space::TaskIo io, std::uint64_t seed);
  Supernet(Supernet&&) noexcept;
  Supernet& operator=(Supernet&&) noexcept;
  ~Supernet();

  [[nodiscard]] const space::TaskIo& io() const;
  [[nodiscard]] const std::vector<space::Slot>& slots() const;

  /// Logits [n, classes] of images [n, c, px, px] with batch statistics (training behaviour,
  /// gradients recorded if enabled).
  [[nodiscard]] at::Tensor forward_train(const at::Tensor& x, const space::NetworkPlan& plan) const;
  /// Logits with the given statistics (evaluation behaviour, no gradient).
  [[nodiscard]] at::Tensor forward_eval(const at::Tensor& x, const space::NetworkPlan& plan,
                                        const BnStats& stats) const;

  /// Every tensor by its state-dict name, in the reference's order; shared with the network, not
  /// copied.
  [[nodiscard]] const std::vector<std::pair<std::string, at::Tensor>>& state() const;

  /// Permutes the middle channels of every block (of a bottleneck, between each two of its
  /// convolutions) by descending L1 importance, keeping the channels of the `stage` largest expand
  /// ratios below the largest in front (the reference's re_organize_middle_weights, which counts
  /// ratios and not widths). The full network's function is unchanged.
  void sort_channels(int stage);

  /// Weights as plain tensors, and back. @throws DataError listing every missing, extra and
  /// misshapen tensor.
  [[nodiscard]] formats::TensorFile export_state() const;
  void import_state(const formats::TensorFile& file, const std::string& where);

  /// Moves the weights to a device ("cpu", "cuda").
  void to_device(const std::string& device);

  struct Impl;
  [[nodiscard]] Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace omnifit::supernet
