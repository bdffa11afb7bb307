#pragma once

#include "supernet/network.hpp"
#include "supernet/supernet.hpp"

#include <ATen/core/Tensor.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace omnifit::supernet {

/// A full-width batch norm with its stored statistics.
struct SlotNorm {
  at::Tensor weight;
  at::Tensor bias;
  at::Tensor running_mean;
  at::Tensor running_var;
  at::Tensor num_batches_tracked;  ///< int64 scalar
};

/// A convolution of a slot at its full size. `norm` is undefined where the spec has no batch norm.
struct SlotConv {
  at::Tensor weight;
  at::Tensor bias;
  SlotNorm norm;
  std::vector<at::Tensor>
      kernel_matrices;  ///< depthwise only, ascending (see slice_depthwise_kernel)
};

/// The tensors of one slot; which are defined follows from the slot's spec.
struct SlotTensors {
  SlotConv conv;  ///< of a conv slot
  SlotConv expand;
  SlotConv depthwise;
  ops::SqueezeExciteWeights squeeze_excite;
  SlotConv project;
  LinearWeights linear;
  std::array<SlotConv, 3> bottleneck;  ///< the convolutions of a bottleneck block
  SlotConv downsample;                 ///< of its shortcut, where that is not the identity
};

/// What a Supernet holds. `state` owns the tensors by name; `tensors` are the same ones by role.
struct Supernet::Impl {
  space::TaskIo io;
  double norm_eps = 1e-5;
  double dropout_prob = 0.0;
  std::vector<space::Slot> slots;
  std::vector<std::pair<std::string, at::Tensor>> state;
  std::vector<SlotTensors> tensors;

  /// Weights of a subnet as views of the shared ones (elastic kernels are computed).
  /// Differentiable.
  [[nodiscard]] std::vector<UnitWeights> weights(const space::NetworkPlan& plan) const;
  /// Leading slices of the stored running statistics.
  [[nodiscard]] BnStats stored_statistics(const space::NetworkPlan& plan) const;
  /// Writes statistics into the leading channels of the running ones and counts `num_batches` more.
  void store_statistics(const space::NetworkPlan& plan, const BnStats& stats,
                        std::int64_t num_batches);
  /// Tensors that training changes: everything but statistics, in state order.
  [[nodiscard]] std::vector<std::pair<std::string, at::Tensor>> parameters() const;
  /// Replaces every floating tensor by one of another type or device.
  void to(at::ScalarType dtype, at::Device device);
  /// Rebuilds `tensors` from `state`.
  void bind();
};

}  // namespace omnifit::supernet
