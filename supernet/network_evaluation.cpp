#include "supernet/network_evaluation.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/threads.hpp"
#include "supernet/images.hpp"
#include "supernet/ops/worker_pool.hpp"
#include "supernet/static_network.hpp"
#include "supernet/thread_policy.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace omnifit::supernet {
namespace {

const ImageSplit& split_of(const Dataset& data, Split split) {
  if (split == Split::kTrain) return data.train;
  return split == Split::kValidation ? data.validation : data.test;
}

void check_fits(const space::NetworkPlan& plan, const Dataset& data, Split split) {
  if (split_of(data, split).count() == 0) {
    throw DataError(fmt::format("{}: no {} images", data.name, split_name(split)));
  }
  if (plan.io.in_channels != data.channels) {
    throw DataError(fmt::format("{}: images of {} channels, but the network takes {}", data.name,
                                data.channels, plan.io.in_channels));
  }
  if (plan.io.num_classes != data.num_classes) {
    throw DataError(
        fmt::format("{}: data.num_classes = {}, but the network has {} classes; a file that "
                    "data.labels names can give the network's labels",
                    data.name, data.num_classes, plan.io.num_classes));
  }
}

/// Labels that occur in a split, in ascending order.
std::vector<std::int64_t> shown_classes(const ImageSplit& split) {
  std::vector<std::int64_t> classes(split.labels.begin(), split.labels.end());
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  return classes;
}

/// Images for which the wanted class is among the best `most`. Ties count against the network, a
/// logit that is not a number is wrong.
std::int64_t count_within(const at::Tensor& logits, const at::Tensor& wanted, int most) {
  const at::Tensor rank = (logits >= wanted).sum(1);
  return rank.ge(1).logical_and_(rank.le(most)).sum().item<std::int64_t>();
}

/// Sums over one batch.
struct BatchScore {
  std::int64_t top1 = 0;
  std::int64_t top5 = 0;
  std::int64_t shown_top1 = 0;
  double loss = 0.0;
};

BatchScore score(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& shown) {
  constexpr int kTop5 = 5;
  const at::Tensor wanted = logits.gather(1, labels.view({-1, 1}));
  BatchScore result;
  result.top1 = count_within(logits, wanted, 1);
  result.top5 = count_within(logits, wanted, kTop5);
  result.shown_top1 = count_within(logits.index_select(1, shown), wanted, 1);
  result.loss = -at::log_softmax(logits.to(at::kDouble), 1)
                     .gather(1, labels.view({-1, 1}))
                     .sum()
                     .item<double>();
  return result;
}

NetworkAccuracy summarise(const std::vector<BatchScore>& scores, std::int64_t num_images) {
  BatchScore total;
  for (const BatchScore& batch : scores) {
    total.top1 += batch.top1;
    total.top5 += batch.top5;
    total.shown_top1 += batch.shown_top1;
    total.loss += batch.loss;
  }
  const auto count = static_cast<double>(num_images);
  NetworkAccuracy result;
  result.num_images = num_images;
  result.top1 = static_cast<double>(total.top1) / count;
  result.top5 = static_cast<double>(total.top5) / count;
  result.shown_top1 = static_cast<double>(total.shown_top1) / count;
  result.loss = total.loss / count;
  return result;
}

}  // namespace

NetworkAccuracy evaluate_network(const formats::FoldedNetwork& network, const Dataset& data,
                                 Split split, const NetworkEvalOptions& options) {
  check_fits(network.plan, data, split);
  const ThreadPolicy policy(1);
  const ops::KernelThreads kernel_threads(1);
  const StaticNetwork runnable(network);
  const ImageSplit& source = split_of(data, split);
  const std::int64_t num_images =
      options.max_images > 0 ? std::min(options.max_images, source.count()) : source.count();
  const std::int64_t batch_size = options.batch_size;
  const std::int64_t num_batches = (num_images + batch_size - 1) / batch_size;
  std::vector<std::int64_t> classes = shown_classes(source);
  const at::Tensor shown = at::tensor(classes, at::kLong);
  std::vector<BatchScore> scores(static_cast<std::size_t>(num_batches));
  core::parallel_for(num_batches, options.threads, [&](std::int64_t i) {
    core::check_interrupt();
    const at::NoGradGuard no_grad;
    const std::int64_t start = i * batch_size;
    std::vector<std::int64_t> indices(
        static_cast<std::size_t>(std::min(batch_size, num_images - start)));
    std::iota(indices.begin(), indices.end(), start);
    const at::Tensor images =
        resize_images(image_batch(data, source, indices, nullptr), network.plan.resolution_px);
    scores[static_cast<std::size_t>(i)] =
        score(runnable.forward(images, ops::Kernels::kFused), label_batch(source, indices), shown);
  });
  NetworkAccuracy result = summarise(scores, num_images);
  result.num_classes = network.plan.io.num_classes;
  if (result.num_classes <= 5) result.top5 = 1.0;
  result.num_shown_classes = static_cast<int>(classes.size());
  return result;
}

}  // namespace omnifit::supernet
