#include "supernet/loss.hpp"

#include <ATen/ATen.h>

namespace omnifit::supernet {

at::Tensor smoothed_targets(const at::Tensor& labels, std::int64_t num_classes, double smoothing) {
  at::Tensor targets =
      at::full({labels.size(0), num_classes}, smoothing / static_cast<double>(num_classes),
               at::TensorOptions().dtype(at::kFloat).device(labels.device()));
  const double on_label = 1.0 - smoothing + smoothing / static_cast<double>(num_classes);
  return targets.scatter_(1, labels.view({-1, 1}), on_label);
}

at::Tensor soft_cross_entropy(const at::Tensor& logits, const at::Tensor& targets) {
  return -(targets.to(logits.scalar_type()) * at::log_softmax(logits, 1)).sum(1).mean();
}

}  // namespace omnifit::supernet
