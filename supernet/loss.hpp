#pragma once

#include <ATen/core/Tensor.h>

namespace omnifit::supernet {

/// Target distribution of label-smoothed cross-entropy: (1 - smoothing) one-hot + smoothing /
/// classes, [n, classes].
at::Tensor smoothed_targets(const at::Tensor& labels, std::int64_t num_classes, double smoothing);

/// Mean over the batch of -sum(targets * log_softmax(logits)); a differentiable scalar. Linear in
/// the targets, so a sum of losses with different targets is one loss with the summed targets:
/// distillation plus labels is soft_cross_entropy(logits, ratio * softmax(teacher) +
/// smoothed_targets).
at::Tensor soft_cross_entropy(const at::Tensor& logits, const at::Tensor& targets);

}  // namespace omnifit::supernet
