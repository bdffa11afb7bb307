#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace omnifit::supernet::ops {

/// Leading `rows` of dimension 0 and `columns` of dimension 1 of a weight; a view. Differentiable.
/// @pre both fit the weight
at::Tensor slice_weight(const at::Tensor& weight, std::int64_t rows, std::int64_t columns);

/// Leading entries of a vector; a view.
at::Tensor slice_vector(const at::Tensor& vector, std::int64_t count);

/// Square centre window of side `kernel_size` of [c, 1, k, k]; a view.
at::Tensor centre_crop(const at::Tensor& weight, std::int64_t kernel_size);

/// Filter of an elastic depthwise convolution: leading channels, then from the largest kernel down
/// to `kernel_size`: crop the centre, map the flattened window v to M v by the learned matrix of
/// that step.
///
/// @param weight [C, 1, K, K], K the largest of `sizes`.
/// @param sizes ascending distinct odd kernel sizes; `kernel_size` is one of them.
/// @param matrices one per adjacent pair of sizes, ascending: matrices[i] is [sizes[i]², sizes[i]²]
/// and maps
///   from sizes[i + 1] to sizes[i].
/// @return [channels, 1, kernel_size, kernel_size]; a view only if no matrix is applied.
/// Differentiable. Source: Cai et al., Once-for-All, ICLR 2020 (elastic kernel size).
at::Tensor slice_depthwise_kernel(const at::Tensor& weight, std::int64_t channels, int kernel_size,
                                  std::span<const int> sizes, std::span<const at::Tensor> matrices);

}  // namespace omnifit::supernet::ops
