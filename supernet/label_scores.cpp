#include "supernet/label_scores.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace omnifit::supernet {
namespace {

constexpr int kTop5 = 5;

double ratio(double sum, std::int64_t num_images) {
  return sum / static_cast<double>(std::max<std::int64_t>(num_images, 1));
}

}  // namespace

LabelScores& LabelScores::operator+=(const LabelScores& other) {
  num_images += other.num_images;
  top1 += other.top1;
  top5 += other.top5;
  loss += other.loss;
  return *this;
}

double LabelScores::top1_ratio() const { return ratio(static_cast<double>(top1), num_images); }

double LabelScores::top5_ratio(std::int64_t num_classes) const {
  return num_classes <= kTop5 ? 1.0 : ratio(static_cast<double>(top5), num_images);
}

double LabelScores::mean_loss() const { return ratio(loss, num_images); }

LabelScores score_labels(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor wanted = logits.gather(1, labels.view({-1, 1}));
  LabelScores scores;
  scores.num_images = labels.size(0);
  scores.top1 = count_within(logits, wanted, 1);
  scores.top5 = count_within(logits, wanted, kTop5);
  scores.loss = -at::log_softmax(logits.to(at::kDouble), 1)
                     .gather(1, labels.view({-1, 1}))
                     .sum()
                     .item<double>();
  return scores;
}

std::int64_t count_within(const at::Tensor& logits, const at::Tensor& wanted, int most) {
  // A logit that is not a number has rank 0.
  const at::Tensor rank = (logits >= wanted).sum(1);
  return rank.ge(1).logical_and_(rank.le(most)).sum().item<std::int64_t>();
}

}  // namespace omnifit::supernet
