#pragma once

#include "space/plan.hpp"
#include "supernet/ops/kernel_choice.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace omnifit::supernet::ops {

/// Activations of a layer with the last elementwise step still to be applied: the value of channel
/// c is `act(raw * scale[c] + shift[c])`.
///
/// Batch norm and activation are per-channel and cheap; reading and writing large activations is
/// not. Deferring them to whoever reads the activations next saves two of every three passes over
/// memory in training. Differentiable like any tensor expression.
struct Feature {
  at::Tensor raw;    ///< [n, c, h, w], channels-last
  at::Tensor scale;  ///< [c]; undefined: 1
  at::Tensor shift;  ///< [c]; undefined: 0
  space::Act act = space::Act::kNone;

  [[nodiscard]] bool plain() const {
    return !scale.defined() && !shift.defined() && act == space::Act::kNone;
  }
};

/// Applies an activation. May reuse the storage of `x` where no gradient is recorded.
at::Tensor activate(at::Tensor x, space::Act act);

/// The values of a feature as a tensor of their own (the raw tensor itself if nothing is deferred).
at::Tensor materialise(const Feature& x);

struct ConvGeometry {
  int kernel_size = 1;  ///< odd; padding is kernel_size / 2
  int stride = 1;
  bool depthwise = false;  ///< weight [c, 1, k, k]; otherwise [out, in, k, k]
};

/// A convolution's output and, if asked for, its batch statistics per channel.
struct ConvOutput {
  at::Tensor raw;
  at::Tensor mean;      ///< [c] over n, h, w; undefined if not asked for
  at::Tensor variance;  ///< [c], biased
};

/// Convolution of a feature, without bias. `with_statistics` adds mean and biased variance of the
/// output; gradients flow through them.
ConvOutput conv(const Feature& x, const at::Tensor& weight, const ConvGeometry& geometry,
                bool with_statistics, Kernels kernels);

/// Convolution plus bias (undefined: none) and activation.
Feature conv_bias_act(const Feature& x, const at::Tensor& weight, const at::Tensor& bias,
                      const ConvGeometry& geometry, space::Act act, Kernels kernels);

/// Per-channel map of batch norm: scale = weight / sqrt(variance + eps), shift = bias - mean *
/// scale.
struct Affine {
  at::Tensor scale;
  at::Tensor shift;
};
Affine batch_norm_affine(const at::Tensor& mean, const at::Tensor& variance,
                         const at::Tensor& weight, const at::Tensor& bias, double eps,
                         Kernels kernels);

struct SqueezeExciteWeights {
  at::Tensor reduce_weight;  ///< [s, c, 1, 1]
  at::Tensor reduce_bias;    ///< [s]
  at::Tensor expand_weight;  ///< [c, s, 1, 1]
  at::Tensor expand_bias;    ///< [c]
};
/// x * hard_sigmoid(expand(relu(reduce(mean over pixels of x)))).
Feature squeeze_excite(const Feature& x, const SqueezeExciteWeights& weights, Kernels kernels);

/// Values of `x` plus `shortcut` (undefined: none): the end of a block, and materialise() by the
/// fused kernels.
at::Tensor add_shortcut(const Feature& x, const at::Tensor& shortcut, Kernels kernels);

/// Maximum over windows of odd side `kernel_size`; padding kernel_size / 2.
at::Tensor max_pool(const Feature& x, int kernel_size, int stride, Kernels kernels);

/// Mean over windows of side and step `stride`; windows beyond the edge average the pixels they
/// hold.
at::Tensor average_pool(const Feature& x, int stride, Kernels kernels);

/// Mean over pixels: [n, c, 1, 1].
at::Tensor global_pool(const Feature& x, Kernels kernels);

}  // namespace omnifit::supernet::ops
