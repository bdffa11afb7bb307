#include "supernet/evaluation.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/threads.hpp"
#include "space/lower.hpp"
#include "supernet/grouped_network.hpp"
#include "supernet/images.hpp"
#include "supernet/label_scores.hpp"
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
#include <compare>
#include <map>
#include <mutex>
#include <numeric>
#include <set>

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

/// Images of which split, how many (0 = all), in which batches, and their side.
struct BatchKey {
  Split split = Split::kTrain;
  std::int64_t count = 0;
  int batch_size = 0;
  int px = 0;
  friend auto operator<=>(const BatchKey&, const BatchKey&) = default;
};

std::int64_t num_images(const Dataset& data, const BatchKey& key) {
  const std::int64_t all = split_of(data, key.split).count();
  return key.count > 0 ? std::min(key.count, all) : all;
}

/// What they take once they are prepared.
std::int64_t image_bytes(const Dataset& data, const BatchKey& key) {
  return num_images(data, key) * data.channels * key.px * key.px *
         static_cast<std::int64_t>(sizeof(float));
}

/// The first images of a split. Not every n-th one: in a split whose labels take turns that would
/// leave classes out.
ImageBatches make_batches(const Dataset& data, const BatchKey& key, at::Device device) {
  const ImageSplit& source = split_of(data, key.split);
  const std::int64_t count = num_images(data, key);
  ImageBatches batches;
  for (std::int64_t start = 0; start < count; start += key.batch_size) {
    std::vector<std::int64_t> indices(
        static_cast<std::size_t>(std::min<std::int64_t>(key.batch_size, count - start)));
    std::iota(indices.begin(), indices.end(), start);
    const at::Tensor images = image_batch(data, source, indices, nullptr);
    batches.images.push_back(resize_images(images, key.px).to(device));
    batches.labels.push_back(label_batch(source, indices).to(device));
  }
  return batches;
}

SubnetAccuracy accuracy_of(const LabelScores& scores, std::int64_t num_classes) {
  return {scores.top1_ratio(), scores.top5_ratio(num_classes), scores.mean_loss(),
          scores.num_images};
}

}  // namespace

struct SubnetEvaluator::Impl {
  const Supernet& network;
  const space::SearchSpace& space;
  const Dataset& data;

  std::mutex mutex;
  std::map<BatchKey, std::shared_ptr<const ImageBatches>> cache;

  Impl(const Supernet& supernet, const space::SearchSpace& search_space, const Dataset& dataset)
      : network(supernet), space(search_space), data(dataset) {}

  [[nodiscard]] at::Device device() const { return network.state().front().second.device(); }

  std::shared_ptr<const ImageBatches> batches(const BatchKey& key) {
    const std::lock_guard lock(mutex);
    auto& entry = cache[key];
    if (!entry) entry = std::make_shared<const ImageBatches>(make_batches(data, key, device()));
    return entry;
  }

  [[nodiscard]] BatchKey calibration_key(const EvalOptions& options, int px) const {
    if (data.train.count() == 0)
      throw DataError(data.name + ": no training images to calibrate on");
    return {Split::kTrain, options.calibration_images, options.batch_size, px};
  }

  static BatchKey evaluation_key(Split split, const EvalOptions& options, int px) {
    return {split, options.max_images, options.batch_size, px};
  }

  [[nodiscard]] std::int64_t bytes(const std::set<BatchKey>& keys) const {
    std::int64_t sum = 0;
    for (const BatchKey& key : keys) sum += image_bytes(data, key);
    return sum;
  }

  std::int64_t held_bytes() {
    const std::lock_guard lock(mutex);
    std::int64_t sum = 0;
    for (const auto& [key, images] : cache) sum += image_bytes(data, key);
    return sum;
  }

  /// Lets go of all other images if there is not room for both.
  void make_room(const std::set<BatchKey>& wanted, std::int64_t max_bytes) {
    const std::lock_guard lock(mutex);
    std::int64_t sum = bytes(wanted);
    for (const auto& [key, images] : cache) {
      if (!wanted.contains(key)) sum += image_bytes(data, key);
    }
    if (sum <= max_bytes) return;
    std::erase_if(cache, [&](const auto& entry) { return !wanted.contains(entry.first); });
  }

  std::shared_ptr<const ImageBatches> calibration(const EvalOptions& options, int px) {
    const BatchKey key = calibration_key(options, px);
    make_room({key}, options.max_image_bytes);
    return batches(key);
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
    std::vector<std::size_t> places;  ///< of the plans in the call
    SharedStart start;
    std::shared_ptr<const ImageBatches> images;
  };

  /// Resolutions that are evaluated at once, and the images they need.
  struct Wave {
    std::vector<Resolution> resolutions;
    std::set<BatchKey> keys;
  };

  /// Many resolutions at once keep all threads busy; their images must fit the memory.
  std::vector<Wave> waves(std::span<const space::Arch> archs, Split split,
                          const EvalOptions& options) const {
    std::map<int, Resolution> resolutions;
    for (std::size_t i = 0; i < archs.size(); ++i) {
      space::NetworkPlan plan = space::lower(space, archs[i], network.io());
      Resolution& group = resolutions[plan.resolution_px];
      group.plans.push_back(std::move(plan));
      group.places.push_back(i);
    }
    std::vector<Wave> result;
    for (auto& [px, group] : resolutions) {
      std::set<BatchKey> keys{calibration_key(options, px), evaluation_key(split, options, px)};
      if (result.empty() || bytes(result.back().keys) + bytes(keys) > options.max_image_bytes) {
        result.emplace_back();
      }
      result.back().resolutions.push_back(std::move(group));
      result.back().keys.merge(keys);
    }
    return result;
  }

  void run(Wave wave, Split split, const EvalOptions& options,
           const std::function<void(std::size_t, const SubnetAccuracy&)>& on_done) {
    make_room(wave.keys, options.max_image_bytes);
    std::int64_t room = kSharedFloats;
    std::vector<std::pair<const Resolution*, std::size_t>> subnets;
    for (Resolution& group : wave.resolutions) {
      core::check_interrupt();
      prepare(group, split, options, room);
      for (std::size_t i = 0; i < group.plans.size(); ++i) subnets.emplace_back(&group, i);
    }
    std::mutex done_mutex;
    core::parallel_for(static_cast<std::int64_t>(subnets.size()), options.threads,
                       [&](std::int64_t i) {
                         core::check_interrupt();
                         const auto& [group, position] = subnets[static_cast<std::size_t>(i)];
                         const SubnetAccuracy found = accuracy(group->plans[position], *group);
                         const std::lock_guard lock(done_mutex);
                         on_done(group->places[position], found);
                       });
  }

  /// Prepares the images of a resolution; `room` is what is left of kSharedFloats.
  void prepare(Resolution& group, Split split, const EvalOptions& options, std::int64_t& room) {
    const at::NoGradGuard no_grad;
    const space::NetworkPlan& plan = group.plans.front();
    const auto images = batches(calibration_key(options, plan.resolution_px));
    group.images = batches(evaluation_key(split, options, plan.resolution_px));
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
    LabelScores total;
    for (std::size_t i = 0; i < group.start.evaluation.size(); ++i) {
      total += score_labels(standalone_network.forward(group.start.evaluation[i]),
                            group.images->labels[i]);
    }
    return accuracy_of(total, network.io().num_classes);
  }
};

SubnetEvaluator::SubnetEvaluator(const Supernet& network, const space::SearchSpace& space,
                                 const Dataset& data)
    : impl_(std::make_unique<Impl>(network, space, data)) {}
SubnetEvaluator::~SubnetEvaluator() = default;

std::vector<SubnetAccuracy> SubnetEvaluator::evaluate(
    std::span<const space::Arch> archs, Split split, const EvalOptions& options,
    const std::function<void(std::size_t, const SubnetAccuracy&)>& on_done) const {
  filled_split(impl_->data, split);
  const ThreadPolicy policy(1);
  const ops::KernelThreads kernel_threads(1);
  std::vector<SubnetAccuracy> results(archs.size());
  for (Impl::Wave& wave : impl_->waves(archs, split, options)) {
    impl_->run(std::move(wave), split, options,
               [&](std::size_t index, const SubnetAccuracy& accuracy) {
                 results[index] = accuracy;
                 if (on_done) on_done(index, accuracy);
               });
  }
  return results;
}

std::int64_t SubnetEvaluator::held_image_bytes() const { return impl_->held_bytes(); }

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
  const ImageSplit& source = filled_split(impl_->data, split);
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
