#include "supernet/evaluation.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/threads.hpp"
#include "space/lower.hpp"
#include "supernet/grouped_network.hpp"
#include "supernet/images.hpp"
#include "supernet/network.hpp"
#include "supernet/ops/worker_pool.hpp"
#include "supernet/shared_start.hpp"
#include "supernet/static_network.hpp"
#include "supernet/static_parts.hpp"
#include "supernet/supernet_impl.hpp"
#include "supernet/tensor_conversion.hpp"
#include "supernet/thread_policy.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <tuple>

namespace omnifit::supernet {
namespace {

/// Floats that shared starts of one call may take: a quarter of a gigabyte.
constexpr std::int64_t kSharedFloats = 1 << 26;

/// Images of a split at one resolution, cut into batches.
struct ImageBatches {
  std::vector<at::Tensor> images;
  std::vector<at::Tensor> labels;

  [[nodiscard]] std::int64_t count() const {
    std::int64_t sum = 0;
    for (const at::Tensor& batch : labels) sum += batch.size(0);
    return sum;
  }
};

const ImageSplit& split_of(const Dataset& data, Split split) {
  switch (split) {
    case Split::kTrain:
      return data.train;
    case Split::kValidation:
      return data.validation;
    case Split::kTest:
      return data.test;
  }
  OMNIFIT_CHECK(false, "unknown split {}", static_cast<int>(split));
}

/// The first `count` images of a split (all for 0 or more than there are). Not every n-th one: in a
/// split whose labels take turns that would leave classes out.
ImageBatches make_batches(const Dataset& data, Split split, std::int64_t count, int batch_size,
                          int px, at::Device device) {
  const ImageSplit& source = split_of(data, split);
  if (count <= 0 || count > source.count()) count = source.count();
  ImageBatches batches;
  for (std::int64_t start = 0; start < count; start += batch_size) {
    std::vector<std::int64_t> indices(
        static_cast<std::size_t>(std::min<std::int64_t>(batch_size, count - start)));
    std::iota(indices.begin(), indices.end(), start);
    const at::Tensor images = image_batch(data, source, indices, nullptr);
    batches.images.push_back(resize_images(images, px).to(device));
    batches.labels.push_back(label_batch(source, indices).to(device));
  }
  return batches;
}

/// Sums over batches; turned into an accuracy at the end.
struct Totals {
  std::int64_t num_images = 0;
  std::int64_t top1 = 0;
  std::int64_t top5 = 0;
  double loss = 0.0;

  void add(const at::Tensor& logits, const at::Tensor& labels) {
    const at::Tensor wanted = logits.gather(1, labels.view({-1, 1}));
    // Ties count against the network: a constant output must not look right.
    const at::Tensor rank = (logits >= wanted).sum(1);
    num_images += labels.size(0);
    // A logit that is not a number has rank 0.
    top1 += (rank == 1).sum().item<std::int64_t>();
    top5 += rank.ge(1).logical_and_(rank.le(5)).sum().item<std::int64_t>();
    loss -= at::log_softmax(logits.to(at::kDouble), 1)
                .gather(1, labels.view({-1, 1}))
                .sum()
                .item<double>();
  }

  [[nodiscard]] SubnetAccuracy accuracy(std::int64_t num_classes) const {
    const double count = static_cast<double>(std::max<std::int64_t>(num_images, 1));
    SubnetAccuracy result;
    result.top1 = static_cast<double>(top1) / count;
    result.top5 = num_classes <= 5 ? 1.0 : static_cast<double>(top5) / count;
    result.loss = loss / count;
    result.num_images = num_images;
    return result;
  }
};

}  // namespace

const char* split_name(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  OMNIFIT_CHECK(false, "unknown split {}", static_cast<int>(split));
}

struct SubnetEvaluator::Impl {
  const Supernet& network;
  const space::SearchSpace& space;
  const Dataset& data;

  using Key = std::tuple<Split, std::int64_t, int, int>;
  std::mutex mutex;
  std::map<Key, std::shared_ptr<const ImageBatches>> cache;

  Impl(const Supernet& supernet, const space::SearchSpace& search_space, const Dataset& dataset)
      : network(supernet), space(search_space), data(dataset) {}

  [[nodiscard]] at::Device device() const { return network.state().front().second.device(); }

  std::shared_ptr<const ImageBatches> batches(Split split, std::int64_t count, int batch_size,
                                              int px) {
    const std::lock_guard lock(mutex);
    auto& entry = cache[{split, count, batch_size, px}];
    if (!entry) {
      entry = std::make_shared<const ImageBatches>(
          make_batches(data, split, count, batch_size, px, device()));
    }
    return entry;
  }

  std::shared_ptr<const ImageBatches> calibration(const EvalOptions& options, int px) {
    if (data.train.count() == 0)
      throw DataError(data.name + ": no training images to calibrate on");
    return batches(Split::kTrain, options.calibration_images, options.batch_size, px);
  }

  /// Calibrated and folded; the shared weights are only read.
  StaticParts standalone(const space::Arch& arch, const EvalOptions& options) {
    const at::NoGradGuard no_grad;
    StaticParts parts;
    parts.plan = space::lower(space, arch, network.io());
    const Supernet::Impl& impl = network.impl();
    const std::vector<UnitWeights> weights = impl.weights(parts.plan);
    const auto images = calibration(options, parts.plan.resolution_px);
    const BnStats stats = calibrate(parts.plan, weights, images->images, impl.norm_eps);
    parts.weights = fold(weights, stats, impl.norm_eps);
    return parts;
  }

  /// The subnets of one call that have a resolution in common.
  struct Resolution {
    std::vector<space::NetworkPlan> plans;
    SharedStart start;
    std::shared_ptr<const ImageBatches> images;
  };

  /// Prepares the images of a resolution; `room` is what is left of kSharedFloats.
  void prepare(Resolution& group, Split split, const EvalOptions& options, std::int64_t& room) {
    const at::NoGradGuard no_grad;
    const space::NetworkPlan& plan = group.plans.front();
    const auto images = calibration(options, plan.resolution_px);
    group.images = batches(split, options.max_images, options.batch_size, plan.resolution_px);
    std::size_t units = device().is_cpu() ? shared_units(group.plans) : 0;
    if (units > 0) {
      const space::FeatureShape shape = space::output_shape(plan.units[units - 1].spec);
      const std::int64_t floats =
          (images->count() + group.images->count()) * shape.channels * shape.px * shape.px;
      if (floats <= room) {
        room -= floats;
      } else {
        units = 0;
      }
    }
    const Supernet::Impl& impl = network.impl();
    group.start = run_start(plan, impl.weights(plan), units, images->images, group.images->images,
                            impl.norm_eps);
  }

  /// Calibrates, folds and measures what `plan` has beyond the shared start.
  SubnetAccuracy accuracy(const space::NetworkPlan& plan, const Resolution& group) const {
    const at::NoGradGuard no_grad;
    const Supernet::Impl& impl = network.impl();
    std::vector<UnitWeights> weights = impl.weights(plan);
    const auto shared = static_cast<std::ptrdiff_t>(group.start.units);
    StaticParts rest;
    rest.plan = {plan.io, plan.resolution_px, {plan.units.begin() + shared, plan.units.end()}};
    weights.erase(weights.begin(), weights.begin() + shared);
    const BnStats stats = calibrate(rest.plan, weights, group.start.calibration, impl.norm_eps);
    rest.weights = fold(weights, stats, impl.norm_eps);
    const GroupedNetwork standalone_network(rest);
    Totals totals;
    for (std::size_t i = 0; i < group.start.evaluation.size(); ++i) {
      totals.add(standalone_network.forward(group.start.evaluation[i]), group.images->labels[i]);
    }
    return totals.accuracy(network.io().num_classes);
  }
};

SubnetEvaluator::SubnetEvaluator(const Supernet& network, const space::SearchSpace& space,
                                 const Dataset& data)
    : impl_(std::make_unique<Impl>(network, space, data)) {}
SubnetEvaluator::~SubnetEvaluator() = default;

std::vector<SubnetAccuracy> SubnetEvaluator::evaluate(
    std::span<const space::Arch> archs, Split split, const EvalOptions& options,
    const std::function<void(std::size_t, const SubnetAccuracy&)>& on_done) const {
  if (split_of(impl_->data, split).count() == 0) {
    throw DataError(fmt::format("{}: no {} images", impl_->data.name, split_name(split)));
  }
  const ThreadPolicy policy(1);
  const ops::KernelThreads kernel_threads(1);
  std::map<int, Impl::Resolution> resolutions;
  std::vector<std::pair<int, std::size_t>> places;  // of every arch: resolution, position there
  for (const space::Arch& arch : archs) {
    space::NetworkPlan plan = space::lower(impl_->space, arch, impl_->network.io());
    std::vector<space::NetworkPlan>& plans = resolutions[plan.resolution_px].plans;
    places.emplace_back(plan.resolution_px, plans.size());
    plans.push_back(std::move(plan));
  }
  std::int64_t room = kSharedFloats;
  for (auto& [px, group] : resolutions) {
    core::check_interrupt();
    impl_->prepare(group, split, options, room);
  }
  std::vector<SubnetAccuracy> results(archs.size());
  std::mutex done_mutex;
  core::parallel_for(static_cast<std::int64_t>(archs.size()), options.threads, [&](std::int64_t i) {
    core::check_interrupt();
    const auto index = static_cast<std::size_t>(i);
    const auto [px, position] = places[index];
    const Impl::Resolution& group = resolutions.at(px);
    results[index] = impl_->accuracy(group.plans[position], group);
    const std::lock_guard lock(done_mutex);
    if (on_done) on_done(index, results[index]);
  });
  return results;
}

formats::FoldedNetwork SubnetEvaluator::extract(const space::Arch& arch,
                                                const EvalOptions& options) const {
  const ThreadPolicy policy(1);
  const ops::KernelThreads kernel_threads(1);
  return StaticNetwork(impl_->standalone(arch, options)).folded();
}

SubnetEvaluator::ProofCase SubnetEvaluator::proof_case(const space::Arch& arch, Split split,
                                                       int count,
                                                       const EvalOptions& options) const {
  const ThreadPolicy policy(1);
  const ops::KernelThreads kernel_threads(1);
  const at::NoGradGuard no_grad;
  const ImageSplit& source = split_of(impl_->data, split);
  if (source.count() == 0) {
    throw DataError(fmt::format("{}: no {} images", impl_->data.name, split_name(split)));
  }
  const space::NetworkPlan plan = space::lower(impl_->space, arch, impl_->network.io());
  std::vector<std::int64_t> indices(
      static_cast<std::size_t>(std::min<std::int64_t>(count, source.count())));
  std::iota(indices.begin(), indices.end(), 0);
  const at::Tensor images =
      resize_images(image_batch(impl_->data, source, indices, nullptr), plan.resolution_px);
  const Supernet::Impl& network = impl_->network.impl();
  const auto calibration = impl_->calibration(options, plan.resolution_px);
  const BnStats stats =
      calibrate(plan, network.weights(plan), calibration->images, network.norm_eps);
  const at::Tensor logits = impl_->network.forward_eval(images.to(impl_->device()), plan, stats);
  return {to_named("images", images), to_named("logits", logits)};
}

}  // namespace omnifit::supernet
