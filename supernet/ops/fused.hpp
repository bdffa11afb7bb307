#pragma once

#include "supernet/ops/feature.hpp"

/// Fused float32 CPU kernels behind the operators of feature.hpp, each with its own backward.
///
/// `can_…` tells whether the kernel applies (CPU, float32, channels-last, channels a multiple of 8
/// …); every other case takes LibTorch's operators. They run on the threads of the caller's
/// KernelThreads; results depend on the number of threads in the last bits alone, and not at all
/// between two runs with the same number.
namespace omnifit::supernet::ops::fused {

bool can_conv(const Feature& x, const at::Tensor& weight, const ConvGeometry& geometry);
ConvOutput conv(const Feature& x, const at::Tensor& weight, const ConvGeometry& geometry,
                bool with_statistics);

bool can_affine(const at::Tensor& mean, const at::Tensor& weight);
Affine batch_norm_affine(const at::Tensor& mean, const at::Tensor& variance,
                         const at::Tensor& weight, const at::Tensor& bias, double eps);

bool can_squeeze_excite(const Feature& x, const SqueezeExciteWeights& weights);
at::Tensor squeeze_excite(const Feature& x, const SqueezeExciteWeights& weights);

bool can_add_shortcut(const Feature& x, const at::Tensor& shortcut);
at::Tensor add_shortcut(const Feature& x, const at::Tensor& shortcut);

bool can_pool(const Feature& x);
at::Tensor global_pool(const Feature& x);

}  // namespace omnifit::supernet::ops::fused
