#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace omnifit::supernet {

/// What logits say of the labels of some images, summed over the images.
struct LabelScores {
  std::int64_t num_images = 0;
  std::int64_t top1 = 0;
  std::int64_t top5 = 0;
  double loss = 0.0;  ///< cross-entropy

  LabelScores& operator+=(const LabelScores& other);
  [[nodiscard]] double top1_ratio() const;
  /// 1 where there are at most five classes.
  [[nodiscard]] double top5_ratio(std::int64_t num_classes) const;
  [[nodiscard]] double mean_loss() const;
};

/// @param logits [n, classes] @param labels int64 [n], on the same device.
LabelScores score_labels(const at::Tensor& logits, const at::Tensor& labels);

/// Images whose label is among the best `most` of `logits` [n, k], where `wanted` [n, 1] is the
/// label's own logit. Ties count against the network: a constant output must not look right. A
/// logit that is not a number is wrong.
std::int64_t count_within(const at::Tensor& logits, const at::Tensor& wanted, int most);

}  // namespace omnifit::supernet
