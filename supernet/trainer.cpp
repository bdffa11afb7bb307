#include "supernet/trainer.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/interrupt.hpp"
#include "core/rng.hpp"
#include "space/lower.hpp"
#include "supernet/checkpoint.hpp"
#include "supernet/evaluation.hpp"
#include "supernet/images.hpp"
#include "supernet/loss.hpp"
#include "supernet/ops/worker_pool.hpp"
#include "supernet/reference_import.hpp"
#include "supernet/schedule.hpp"
#include "supernet/sgd.hpp"
#include "supernet/supernet_impl.hpp"
#include "supernet/thread_policy.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>

namespace omnifit::supernet {
namespace {

constexpr std::int64_t kValidationImages = 1000;
constexpr int kMetricsPerEpoch = 10;

/// The full network as it was after the first phase. Batch statistics, as in the reference's
/// training.
struct Teacher {
  space::NetworkPlan plan;
  std::vector<UnitWeights> weights;
  double norm_eps = 1e-5;

  [[nodiscard]] at::Tensor soft_targets(const at::Tensor& images) const {
    const at::NoGradGuard no_grad;
    ExecuteOptions options;
    options.norm_eps = norm_eps;
    return at::softmax(execute(plan, weights, images, options), 1);
  }
};

/// One batch of training images at full resolution.
struct Batch {
  at::Tensor images;
  at::Tensor labels;
};

/// Serves batches by (phase, step): order by epoch, augmentation by epoch and image.
class BatchSource {
 public:
  BatchSource(const Dataset& data, const TrainConfig& config, std::uint64_t seed, at::Device device)
      : data_(data), config_(config), seed_(seed), device_(device) {}

  Batch batch(int phase_index, const PhaseSchedule& schedule, std::int64_t phase_step) {
    const auto phase = static_cast<std::uint64_t>(phase_index);
    const std::uint64_t epoch =
        (phase << 32U) + static_cast<std::uint64_t>(phase_step / schedule.steps_per_epoch);
    if (!epoch_ || *epoch_ != epoch) shuffle(epoch);
    const std::int64_t start = phase_step % schedule.steps_per_epoch * config_.batch_size;
    const auto count = std::min<std::int64_t>(config_.batch_size, data_.train.count() - start);
    const std::span indices =
        std::span(order_).subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(count));
    Augmentation augmentation;
    augmentation.max_shift_px =
        static_cast<int>(std::lround(config_.max_shift_ratio * data_.image_px));
    augmentation.flip = config_.flip;
    augmentation.seed = seed_;
    augmentation.epoch = epoch;
    return {image_batch(data_, data_.train, indices, &augmentation).to(device_),
            label_batch(data_.train, indices).to(device_)};
  }

 private:
  void shuffle(std::uint64_t epoch) {
    order_.resize(static_cast<std::size_t>(data_.train.count()));
    std::iota(order_.begin(), order_.end(), 0);
    core::Rng rng = core::Rng::stream(seed_, core::Purpose::kShuffle, {epoch});
    rng.shuffle(std::span(order_));
    epoch_ = epoch;
  }

  const Dataset& data_;
  const TrainConfig& config_;
  std::uint64_t seed_;
  at::Device device_;
  std::optional<std::uint64_t> epoch_;
  std::vector<std::int64_t> order_;
};

/// The whole training run.
class Trainer {
 public:
  Trainer(const space::SearchSpace& space, const Dataset& data, const TrainConfig& config,
          const TrainContext& context)
      : space_(space),
        data_(data),
        config_(config),
        context_(context),
        device_(context.device),
        network_(space, {data.channels, data.num_classes}, context.seed),
        folder_(context.checkpoint_folder,
                {space.fingerprint(),
                 {data.channels, data.num_classes},
                 context.input_hash,
                 context.machine},
                context.progress),
        batches_(data, config, context.seed, device_),
        evaluator_(network_, space, data) {
    if (context.start != nullptr) {
      network_.import_state(context.start->network.export_state(), context.start->where);
      context.start->network.impl().to(at::kFloat, device_);
    }
    network_.impl().to(at::kFloat, device_);
  }

  CheckpointInfo run() {
    if (config_.phases.empty()) return use_as_it_is();
    if (!resume()) tell_start();
    CheckpointInfo last;
    for (std::size_t i = 0; i < config_.phases.size(); ++i) {
      const bool final = i + 1 == config_.phases.size();
      const int index = static_cast<int>(i);
      if (index > position_.phase_index ||
          (index == position_.phase_index && !position_.phase_done)) {
        run_phase(index);
      }
      last = folder_.info(finished_position(index), final);
      if (context_.on_checkpoint) context_.on_checkpoint(last);
    }
    return last;
  }

 private:
  [[nodiscard]] const PhaseConfig& phase(int index) const {
    return config_.phases[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] PhaseSchedule schedule(int index) const {
    return {phase(index), data_.train.count(), config_.batch_size};
  }
  [[nodiscard]] TrainPosition finished_position(int index) const {
    TrainPosition position;
    position.phase_index = index;
    position.phase = phase(index).name;
    position.phase_step = schedule(index).steps;
    for (int i = 0; i <= index; ++i) position.step += schedule(i).steps;
    position.phase_done = true;
    return position;
  }

  /// The start weights become the result.
  CheckpointInfo use_as_it_is() {
    position_.phase = kImportedPhase;
    position_.phase_done = true;
    write_imported_checkpoint(folder_.phase_file(kImportedPhase), network_, space_,
                              {context_.start->sha256});
    tell_start();
    const PhaseSchedule none(PhaseConfig{}, data_.train.count(), config_.batch_size);
    if (data_.validation.count() > 0) tell_validation(none, space::Subspace::all(space_));
    const CheckpointInfo info = folder_.info(position_, /*final=*/true);
    if (context_.on_checkpoint) context_.on_checkpoint(info);
    return info;
  }

  void tell_start() const {
    if (context_.start == nullptr || context_.progress == nullptr) return;
    const StartWeights& start = *context_.start;
    std::string line = config_.phases.empty()
                           ? fmt::format("train: takes the weights of {} as they are", start.where)
                           : fmt::format("train: begins with the weights of {}", start.where);
    if (start.new_classifier) {
      line +=
          fmt::format("; its classifier is for {} classes, the data has {}: a new one is trained",
                      start.file_classes, data_.num_classes);
    }
    if (!start.filled.empty()) {
      line += fmt::format("; not in it, left neutral: {}", fmt::join(start.filled, ", "));
    }
    context_.progress->message(line);
  }

  /// Whether the start weights hold the full network that the phases learn from. A phase that
  /// trains the full network alone makes it, and so does the first one under a new classifier.
  [[nodiscard]] bool start_teaches() const {
    if (context_.start == nullptr || context_.start->new_classifier) return false;
    return !trains_full_network(space_, phase(0));
  }

  /// @return whether there was something to go on with
  bool resume() {
    std::vector<std::string> names;
    for (const PhaseConfig& config : config_.phases) names.push_back(config.name);
    position_ = {};
    position_.phase = phase(0).name;
    const auto found = folder_.newest(names);
    if (!found) return false;
    position_ = found->position;
    OMNIFIT_CHECK(position_.phase_index < static_cast<int>(names.size()),
                  "checkpoint of phase {} of {}", position_.phase_index, names.size());
    restore(*found, network_, nullptr);
    if (found->machine != context_.machine && context_.progress != nullptr) {
      context_.progress->message(fmt::format(
          "{}: written by {}, going on with {}: the result will not be bit for bit that of an "
          "undisturbed run",
          core::path_text(found->file), found->machine, context_.machine));
    }
    if (!position_.phase_done) resumed_ = found;
    return true;
  }

  void run_phase(int index) {
    const bool continued = resumed_.has_value();
    if (!continued) {
      open_channels(index);
      const std::int64_t step = index == 0 ? 0 : finished_position(index - 1).step;
      position_ = {};
      position_.phase_index = index;
      position_.phase = phase(index).name;
      position_.step = step;
    }
    Sgd optimiser(network_.impl().parameters(), config_.momentum, config_.weight_decay);
    if (continued) restore(*resumed_, network_, &optimiser);
    resumed_.reset();
    if ((index > 0 || start_teaches()) && phase(index).distill_ratio > 0) teacher_ = load_teacher();
    train_steps(index, optimiser);
    finish_phase(index);
  }

  /// Channels are sorted before narrower blocks are first trained, so that the narrow ones get the
  /// important channels.
  void open_channels(int index) {
    if (index == 0 && context_.start == nullptr) return;
    const int before = index > 0 ? open_expand_choices(space_, phase(index - 1))
                                 : open_expand_choices(space_, config_.start_expand_ratios);
    if (open_expand_choices(space_, phase(index)) > before) network_.sort_channels(before - 1);
  }

  [[nodiscard]] Teacher load_teacher() const {
    if (start_teaches()) return teacher_of(context_.start->network);
    const Supernet full = load_supernet(folder_.phase_file(phase(0).name), space_, network_.io());
    full.impl().to(at::kFloat, device_);
    return teacher_of(full);
  }

  [[nodiscard]] Teacher teacher_of(const Supernet& full) const {
    Teacher teacher;
    teacher.plan = space::lower(space_, space::largest(space_), network_.io());
    teacher.norm_eps = full.impl().norm_eps;
    const at::NoGradGuard no_grad;
    teacher.weights = full.impl().weights(teacher.plan);
    return teacher;
  }

  void train_steps(int index, Sgd& optimiser) {
    const PhaseSchedule plan = schedule(index);
    const space::Subspace subspace = open_subspace(space_, phase(index));
    const auto validate_every = std::max<std::int64_t>(
        1, std::llround(config_.validate_every_epochs * static_cast<double>(plan.steps_per_epoch)));
    const std::int64_t tell_every =
        std::max<std::int64_t>(1, plan.steps_per_epoch / kMetricsPerEpoch);
    const std::int64_t images_per_step =
        std::min<std::int64_t>(config_.batch_size, data_.train.count());
    if (context_.progress != nullptr) {
      context_.progress->begin("train: " + phase(index).name, plan.steps * images_per_step,
                               "images", position_.phase_step * images_per_step);
    }
    last_checkpoint_ = std::chrono::steady_clock::now();
    const auto validation_due = [&] {
      return position_.phase_step == plan.steps || position_.phase_step % validate_every == 0;
    };
    // A checkpoint is written before the validation that falls on the same step.
    if (position_.phase_step > 0 && validation_due()) validate(plan, subspace, optimiser);
    while (position_.phase_step < plan.steps) {
      const double rate = plan.rate(position_.phase_step);
      const double loss = train_step(index, plan, subspace, optimiser, rate);
      ++position_.phase_step;
      ++position_.step;
      if (context_.progress != nullptr) {
        context_.progress->advance(images_per_step, fmt::format("loss {:.3f}", loss));
      }
      const bool last = position_.phase_step == plan.steps;
      if (last || position_.phase_step % tell_every == 0) tell_training(plan, rate);
      safe_point(optimiser);
      if (validation_due()) validate(plan, subspace, optimiser);
    }
    if (context_.progress != nullptr) context_.progress->end();
  }

  double train_step(int index, const PhaseSchedule& plan, const space::Subspace& subspace,
                    Sgd& optimiser, double rate) {
    const Batch batch = batches_.batch(index, plan, position_.phase_step);
    at::Tensor targets = smoothed_targets(batch.labels, data_.num_classes, config_.label_smoothing);
    if (teacher_) {
      targets.add_(teacher_->soft_targets(batch.images), phase(index).distill_ratio);
    }
    optimiser.zero_gradients();
    double loss_sum = 0.0;
    std::size_t subnet = 0;
    const auto archs = step_subnets(space_, subspace, phase(index), context_.seed, position_.step);
    for (const space::Arch& arch : archs) {
      loss_sum += train_subnet(arch, batch, targets, subnet++);
    }
    optimiser.step(rate);
    return loss_sum / static_cast<double>(archs.size());
  }

  /// Adds one subnet's gradients. @return its loss
  double train_subnet(const space::Arch& arch, const Batch& batch, const at::Tensor& targets,
                      std::size_t subnet) {
    const space::NetworkPlan plan = space::lower(space_, arch, network_.io());
    const Supernet::Impl& impl = network_.impl();
    ExecuteOptions options;
    options.norm_eps = impl.norm_eps;
    options.dropout = dropout_mask(plan, batch.images.size(0), subnet);
    const at::Tensor logits =
        execute(plan, impl.weights(plan), resize_images(batch.images, plan.resolution_px), options);
    const at::Tensor loss = soft_cross_entropy(logits, targets);
    loss.backward();
    const double value = loss.item<double>();
    if (!std::isfinite(value)) {
      throw GoalError(fmt::format(
          "training diverged: the loss of phase '{}' is {} at step {}; lower its learning_rate",
          position_.phase, value, position_.step));
    }
    position_.window.loss += value;
    position_.window.correct += logits.detach().argmax(1).eq(batch.labels).sum().item<double>();
    position_.window.num_images += batch.labels.size(0);
    ++position_.window.num_losses;
    return value;
  }

  /// Scaled zeros and ones for the classifier's input; undefined without dropout.
  [[nodiscard]] at::Tensor dropout_mask(const space::NetworkPlan& plan, std::int64_t num_images,
                                        std::size_t subnet) const {
    const double dropped = network_.impl().dropout_prob;
    const auto* linear = std::get_if<space::LinearSpec>(&plan.units.back().spec);
    if (dropped <= 0.0 || linear == nullptr) return {};
    core::Rng rng = core::Rng::stream(context_.seed, core::Purpose::kDropout,
                                      {static_cast<std::uint64_t>(position_.step), subnet});
    at::Tensor mask = at::empty({num_images, linear->in_features}, at::kFloat);
    auto* values = mask.data_ptr<float>();
    const auto kept = static_cast<float>(1.0 / (1.0 - dropped));
    for (std::int64_t i = 0; i < mask.numel(); ++i) {
      values[i] = rng.bernoulli(dropped) ? 0.0F : kept;
    }
    return mask.to(device_);
  }

  void tell(const PhaseSchedule& plan, const std::string& name, double value) const {
    if (!context_.on_metric) return;
    TrainMetric metric;
    metric.phase = position_.phase;
    metric.phase_index = position_.phase_index;
    metric.epoch =
        static_cast<double>(position_.phase_step) / static_cast<double>(plan.steps_per_epoch);
    metric.step = position_.step;
    metric.name = name;
    metric.value = value;
    context_.on_metric(metric);
  }

  void tell_training(const PhaseSchedule& plan, double rate) {
    const MetricWindow& window = position_.window;
    tell(plan, "train_loss", window.loss / static_cast<double>(window.num_losses));
    tell(plan, "train_top1", window.correct / static_cast<double>(window.num_images));
    tell(plan, "learning_rate", rate);
    position_.window = {};
  }

  void validate(const PhaseSchedule& plan, const space::Subspace& subspace, const Sgd& optimiser) {
    if (data_.validation.count() == 0) return;
    try {
      tell_validation(plan, subspace);
    } catch (const Interrupted&) {
      folder_.write_progress(network_, optimiser, position_);
      throw;
    }
  }

  void tell_validation(const PhaseSchedule& plan, const space::Subspace& subspace) {
    std::vector<space::Arch> archs{corner(space_, subspace, Corner::kLargest),
                                   corner(space_, subspace, Corner::kSmallest),
                                   corner(space_, subspace, Corner::kMiddle)};
    const std::vector<std::string> names{"val_top1_largest", "val_top1_smallest",
                                         "val_top1_middle"};
    if (archs[0] == archs[1]) archs.resize(1);
    EvalOptions options;
    options.calibration_images = config_.calibration_images;
    options.max_images = kValidationImages;
    options.threads = context_.threads;
    const auto results = evaluator_.evaluate(archs, Split::kValidation, options);
    std::string line = fmt::format(
        "{}, epoch {:.1f}: validation top-1", position_.phase,
        static_cast<double>(position_.phase_step) / static_cast<double>(plan.steps_per_epoch));
    for (std::size_t i = 0; i < results.size(); ++i) {
      tell(plan, names[i], results[i].top1);
      line += fmt::format(" {} {:.2f} %", names[i].substr(names[i].rfind('_') + 1),
                          100.0 * results[i].top1);
    }
    if (context_.progress != nullptr) context_.progress->message(line);
  }

  void safe_point(const Sgd& optimiser) {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> since = now - last_checkpoint_;
    const bool stop = core::stop_requested();
    if (stop || since.count() >= config_.checkpoint_every_s) {
      folder_.write_progress(network_, optimiser, position_);
      last_checkpoint_ = std::chrono::steady_clock::now();
    }
    if (stop) core::check_interrupt();
  }

  /// The stored running statistics are those of the largest subnet at the end of a phase; training
  /// itself only uses batch statistics, and every evaluation calibrates.
  void finish_phase(int index) {
    const space::NetworkPlan plan = space::lower(space_, space::largest(space_), network_.io());
    std::vector<std::int64_t> indices(static_cast<std::size_t>(
        std::min<std::int64_t>(config_.calibration_images, data_.train.count())));
    std::iota(indices.begin(), indices.end(), 0);
    std::vector<at::Tensor> images;
    for (std::size_t start = 0; start < indices.size(); start += kStatisticsBatch) {
      const std::size_t count = std::min(kStatisticsBatch, indices.size() - start);
      images.push_back(
          image_batch(data_, data_.train, std::span(indices).subspan(start, count), nullptr)
              .to(device_));
    }
    Supernet::Impl& impl = network_.impl();
    const at::NoGradGuard no_grad;
    impl.store_statistics(plan, calibrate(plan, impl.weights(plan), images, impl.norm_eps),
                          static_cast<std::int64_t>(images.size()));
    position_ = finished_position(index);
    folder_.write_phase(network_, position_);
  }

  static constexpr std::size_t kStatisticsBatch = 100;

  const space::SearchSpace& space_;
  const Dataset& data_;
  const TrainConfig& config_;
  const TrainContext& context_;
  at::Device device_;
  Supernet network_;
  CheckpointFolder folder_;
  BatchSource batches_;
  SubnetEvaluator evaluator_;
  std::optional<Teacher> teacher_;
  TrainPosition position_;
  std::optional<CheckpointFolder::Found> resumed_;
  std::chrono::steady_clock::time_point last_checkpoint_;
};

}  // namespace

CheckpointInfo train(const space::SearchSpace& space, const Dataset& data,
                     const TrainConfig& config, const TrainContext& context) {
  OMNIFIT_CHECK(!config.phases.empty() || context.start != nullptr, "training without phases");
  if (data.train.count() == 0) throw DataError(data.name + ": no training images");
  // The fused kernels do the work, on threads of their own; what is left to LibTorch is too small
  // to share, and its spinning threads would take the cores from them.
  const ThreadPolicy policy(1);
  const ops::KernelThreads kernel_threads(context.threads);
  return Trainer(space, data, config, context).run();
}

}  // namespace omnifit::supernet
