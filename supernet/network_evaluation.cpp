#include "supernet/network_evaluation.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/threads.hpp"
#include "supernet/images.hpp"
#include "supernet/label_scores.hpp"
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

void check_fits(const space::NetworkPlan& plan, const Dataset& data, Split split) {
  filled_split(data, split);
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

/// Sums over one batch.
struct BatchScore {
  LabelScores all;
  std::int64_t shown_top1 = 0;
};

BatchScore score(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& shown) {
  const at::Tensor wanted = logits.gather(1, labels.view({-1, 1}));
  return {score_labels(logits, labels), count_within(logits.index_select(1, shown), wanted, 1)};
}

NetworkAccuracy summarise(const std::vector<BatchScore>& scores, int num_classes) {
  BatchScore total;
  for (const BatchScore& batch : scores) {
    total.all += batch.all;
    total.shown_top1 += batch.shown_top1;
  }
  NetworkAccuracy result;
  result.num_images = total.all.num_images;
  result.num_classes = num_classes;
  result.top1 = total.all.top1_ratio();
  result.top5 = total.all.top5_ratio(num_classes);
  result.shown_top1 =
      static_cast<double>(total.shown_top1) / static_cast<double>(total.all.num_images);
  result.loss = total.all.mean_loss();
  return result;
}

}  // namespace

NetworkAccuracy evaluate_network(const formats::FoldedNetwork& network, const Dataset& data,
                                 Split split, const NetworkEvalOptions& options) {
  check_fits(network.plan, data, split);
  const ThreadPolicy policy(1);
  const ops::KernelThreads kernel_threads(1);
  StaticNetwork runnable(network);
  runnable.to_device(options.device);
  const at::Device device(options.device);
  const ImageSplit& source = split_of(data, split);
  const std::int64_t num_images =
      options.max_images > 0 ? std::min(options.max_images, source.count()) : source.count();
  const std::int64_t batch_size = options.batch_size;
  const std::int64_t num_batches = (num_images + batch_size - 1) / batch_size;
  std::vector<std::int64_t> classes = shown_classes(source);
  const at::Tensor shown = at::tensor(classes, at::kLong).to(device);
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
        score(runnable.forward(images.to(device), ops::Kernels::kFused),
              label_batch(source, indices).to(device), shown);
  });
  NetworkAccuracy result = summarise(scores, network.plan.io.num_classes);
  result.num_shown_classes = static_cast<int>(classes.size());
  return result;
}

}  // namespace omnifit::supernet
