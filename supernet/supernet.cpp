#include "supernet/supernet.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/rng.hpp"
#include "supernet/ops/elastic.hpp"
#include "supernet/slot_naming.hpp"
#include "supernet/supernet_impl.hpp"
#include "supernet/tensor_conversion.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <cmath>
#include <set>

namespace omnifit::supernet {
namespace {

template <class Draw>
void fill(at::Tensor& tensor, Draw draw) {
  auto* values = tensor.data_ptr<float>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) values[i] = static_cast<float>(draw());
}

at::Tensor initial_tensor(const TensorEntry& entry, std::uint64_t seed) {
  if (entry.role == TensorRole::kNumBatchesTracked) return at::zeros({}, at::kLong);
  at::Tensor tensor = at::zeros(entry.shape, at::kFloat);
  core::Rng rng =
      core::Rng::stream(seed, core::Purpose::kInitWeights, {core::stable_hash(entry.name)});
  switch (entry.role) {
    case TensorRole::kConvWeight: {
      const double fan_out = static_cast<double>(entry.shape[0] * entry.shape[2] * entry.shape[3]);
      const double deviation = std::sqrt(2.0 / fan_out);
      fill(tensor, [&] { return deviation * rng.normal(); });
      break;
    }
    case TensorRole::kLinearWeight: {
      const double bound = 1.0 / std::sqrt(static_cast<double>(entry.shape[1]));
      fill(tensor, [&] { return rng.uniform(-bound, bound); });
      break;
    }
    case TensorRole::kKernelMatrix:
      tensor = at::eye(entry.shape[0], at::kFloat);
      break;
    case TensorRole::kNormWeight:
    case TensorRole::kRunningVar:
      tensor.fill_(1.0);
      break;
    case TensorRole::kBias:
    case TensorRole::kRunningMean:
    case TensorRole::kNumBatchesTracked:
      break;
  }
  return tensor;
}

bool is_statistic(const std::string& name) {
  return name.ends_with(".running_mean") || name.ends_with(".running_var") ||
         name.ends_with(".num_batches_tracked");
}

/// Finds the tensors of a slot by name.
class SlotBinder {
 public:
  SlotBinder(const space::Slot& slot, const std::map<std::string, at::Tensor>& state)
      : slot_(slot), state_(state) {}

  void operator()(const space::ConvSpec&) { out.conv = conv(conv_names(slot_)); }
  void operator()(const space::MbConvSpec&) {
    out.expand = conv(expand_names(slot_));
    out.depthwise = conv(depthwise_names(slot_));
    for (std::size_t i = 0; i + 1 < slot_.kernel_sizes.size(); ++i) {
      out.depthwise.kernel_matrices.push_back(
          get(kernel_matrix_name(slot_, slot_.kernel_sizes[i + 1], slot_.kernel_sizes[i])));
    }
    const std::string prefix = squeeze_excite_prefix(slot_);
    out.squeeze_excite = {get(prefix + "reduce.weight"), get(prefix + "reduce.bias"),
                          get(prefix + "expand.weight"), get(prefix + "expand.bias")};
    out.project = conv(project_names(slot_));
  }
  void operator()(const space::PoolSpec&) {}
  void operator()(const space::LinearSpec&) {
    const std::string prefix = linear_prefix(slot_);
    out.linear = {get(prefix + "weight"), get(prefix + "bias")};
  }
  void operator()(const space::BottleneckSpec& spec) {
    for (std::size_t i = 0; i < out.bottleneck.size(); ++i) {
      out.bottleneck[i] = conv(bottleneck_names(slot_, static_cast<int>(i) + 1));
    }
    if (spec.downsample != space::Downsample::kNone) out.downsample = conv(downsample_names(slot_));
  }
  void operator()(const space::MaxPoolSpec&) {}

  SlotTensors out;

 private:
  [[nodiscard]] at::Tensor get(const std::string& name) const {
    const auto found = state_.find(name);
    return found == state_.end() ? at::Tensor() : found->second;
  }
  [[nodiscard]] SlotConv conv(const LayerNames& names) const {
    SlotConv found;
    found.weight = get(names.conv + "weight");
    found.bias = get(names.conv + "bias");
    found.norm = {get(names.norm + "weight"), get(names.norm + "bias"),
                  get(names.norm + "running_mean"), get(names.norm + "running_var"),
                  get(names.norm + "num_batches_tracked")};
    return found;
  }

  const space::Slot& slot_;
  const std::map<std::string, at::Tensor>& state_;
};

ConvWeights slice_conv(const SlotConv& conv, std::int64_t out, std::int64_t in) {
  ConvWeights sliced;
  sliced.weight = ops::slice_weight(conv.weight, out, in);
  if (conv.bias.defined()) sliced.bias = ops::slice_vector(conv.bias, out);
  if (conv.norm.weight.defined()) {
    sliced.norm_weight = ops::slice_vector(conv.norm.weight, out);
    sliced.norm_bias = ops::slice_vector(conv.norm.bias, out);
  }
  return sliced;
}

MbConvWeights slice_block(const space::Slot& slot, const SlotTensors& full,
                          const space::MbConvSpec& spec) {
  MbConvWeights sliced;
  if (spec.expand) sliced.expand = slice_conv(full.expand, spec.mid_channels, spec.in_channels);
  sliced.depthwise = slice_conv(full.depthwise, spec.mid_channels, 1);
  sliced.depthwise.weight =
      ops::slice_depthwise_kernel(full.depthwise.weight, spec.mid_channels, spec.kernel_size,
                                  slot.kernel_sizes, full.depthwise.kernel_matrices);
  if (spec.se_channels > 0) {
    const auto& se = full.squeeze_excite;
    sliced.squeeze_excite = {
        ops::slice_weight(se.reduce_weight, spec.se_channels, spec.mid_channels),
        ops::slice_vector(se.reduce_bias, spec.se_channels),
        ops::slice_weight(se.expand_weight, spec.mid_channels, spec.se_channels),
        ops::slice_vector(se.expand_bias, spec.mid_channels)};
  }
  sliced.project = slice_conv(full.project, spec.out_channels, spec.mid_channels);
  return sliced;
}

BottleneckWeights slice_bottleneck(const SlotTensors& full, const space::BottleneckSpec& spec) {
  BottleneckWeights sliced;
  sliced.conv1 = slice_conv(full.bottleneck[0], spec.mid_channels, spec.in_channels);
  sliced.conv2 = slice_conv(full.bottleneck[1], spec.mid_channels, spec.mid_channels);
  sliced.conv3 = slice_conv(full.bottleneck[2], spec.out_channels, spec.mid_channels);
  if (spec.downsample != space::Downsample::kNone) {
    sliced.downsample = slice_conv(full.downsample, spec.out_channels, spec.in_channels);
  }
  return sliced;
}

/// Calls `visit(norm, channels)` for every batch norm of the plan in execution order.
template <class Visit>
void for_each_norm(const std::vector<SlotTensors>& tensors, const space::NetworkPlan& plan,
                   Visit visit) {
  for (const space::PlanUnit& unit : plan.units) {
    const SlotTensors& slot = tensors[static_cast<std::size_t>(unit.slot)];
    if (const auto* conv = std::get_if<space::ConvSpec>(&unit.spec)) {
      if (conv->batch_norm) visit(slot.conv.norm, conv->out_channels);
    } else if (const auto* block = std::get_if<space::MbConvSpec>(&unit.spec)) {
      if (block->expand) visit(slot.expand.norm, block->mid_channels);
      visit(slot.depthwise.norm, block->mid_channels);
      visit(slot.project.norm, block->out_channels);
    } else if (const auto* bottleneck = std::get_if<space::BottleneckSpec>(&unit.spec)) {
      visit(slot.bottleneck[0].norm, bottleneck->mid_channels);
      visit(slot.bottleneck[1].norm, bottleneck->mid_channels);
      visit(slot.bottleneck[2].norm, bottleneck->out_channels);
      if (slot.downsample.weight.defined()) visit(slot.downsample.norm, bottleneck->out_channels);
    }
  }
}

}  // namespace

std::vector<UnitWeights> Supernet::Impl::weights(const space::NetworkPlan& plan) const {
  std::vector<UnitWeights> sliced;
  sliced.reserve(plan.units.size());
  for (const space::PlanUnit& unit : plan.units) {
    const auto index = static_cast<std::size_t>(unit.slot);
    OMNIFIT_CHECK(index < slots.size(), "unit in slot {} of {}", unit.slot, slots.size());
    const SlotTensors& full = tensors[index];
    sliced.push_back(std::visit(
        space::Overloaded{
            [&](const space::ConvSpec& spec) -> UnitWeights {
              return slice_conv(full.conv, spec.out_channels, spec.in_channels);
            },
            [&](const space::MbConvSpec& spec) -> UnitWeights {
              return slice_block(slots[index], full, spec);
            },
            [](const space::PoolSpec&) -> UnitWeights { return std::monostate{}; },
            [&](const space::LinearSpec& spec) -> UnitWeights {
              return LinearWeights{
                  ops::slice_weight(full.linear.weight, spec.out_features, spec.in_features),
                  full.linear.bias};
            },
            [&](const space::BottleneckSpec& spec) -> UnitWeights {
              return slice_bottleneck(full, spec);
            },
            [](const space::MaxPoolSpec&) -> UnitWeights { return std::monostate{}; }},
        unit.spec));
  }
  return sliced;
}

BnStats Supernet::Impl::stored_statistics(const space::NetworkPlan& plan) const {
  BnStats stats;
  for_each_norm(tensors, plan, [&](const SlotNorm& norm, std::int64_t channels) {
    stats.entries.push_back({ops::slice_vector(norm.running_mean, channels),
                             ops::slice_vector(norm.running_var, channels)});
  });
  return stats;
}

void Supernet::Impl::store_statistics(const space::NetworkPlan& plan, const BnStats& stats,
                                      std::int64_t num_batches) {
  const at::NoGradGuard no_grad;
  std::size_t index = 0;
  for_each_norm(tensors, plan, [&](const SlotNorm& norm, std::int64_t channels) {
    const BnStats::Entry& entry = stats.entries.at(index++);
    norm.running_mean.narrow(0, 0, channels).copy_(entry.mean);
    norm.running_var.narrow(0, 0, channels).copy_(entry.variance);
    norm.num_batches_tracked.add_(num_batches);
  });
}

std::vector<std::pair<std::string, at::Tensor>> Supernet::Impl::parameters() const {
  std::vector<std::pair<std::string, at::Tensor>> found;
  for (const auto& [name, tensor] : state) {
    if (!is_statistic(name)) found.emplace_back(name, tensor);
  }
  return found;
}

void Supernet::Impl::to(at::ScalarType dtype, at::Device device) {
  for (auto& [name, tensor] : state) {
    const bool requires_grad = tensor.requires_grad();
    tensor = tensor.detach().to(device, tensor.is_floating_point() ? dtype : tensor.scalar_type());
    tensor.set_requires_grad(requires_grad);
  }
  bind();
}

void Supernet::Impl::bind() {
  const std::map<std::string, at::Tensor> by_name(state.begin(), state.end());
  tensors.clear();
  for (const space::Slot& slot : slots) {
    SlotBinder binder(slot, by_name);
    std::visit(binder, slot.largest);
    tensors.push_back(std::move(binder.out));
  }
}

Supernet::Supernet(const space::SearchSpace& space, space::TaskIo io, std::uint64_t seed)
    : impl_(std::make_unique<Impl>()) {
  impl_->io = io;
  impl_->norm_eps = space.batch_norm().eps;
  impl_->dropout_prob = space.dropout_prob();
  impl_->slots = space::slots(space, io);
  for (const space::Slot& slot : impl_->slots) {
    for (const TensorEntry& entry : tensor_entries(slot)) {
      impl_->state.emplace_back(entry.name, initial_tensor(entry, seed));
    }
  }
  for (auto& [name, tensor] : impl_->parameters()) tensor.set_requires_grad(true);
  impl_->bind();
}

Supernet::Supernet(Supernet&&) noexcept = default;
Supernet& Supernet::operator=(Supernet&&) noexcept = default;
Supernet::~Supernet() = default;

const space::TaskIo& Supernet::io() const { return impl_->io; }
const std::vector<space::Slot>& Supernet::slots() const { return impl_->slots; }

at::Tensor Supernet::forward_train(const at::Tensor& x, const space::NetworkPlan& plan) const {
  ExecuteOptions options;
  options.norm_eps = impl_->norm_eps;
  return execute(plan, impl_->weights(plan), x, options);
}

at::Tensor Supernet::forward_eval(const at::Tensor& x, const space::NetworkPlan& plan,
                                  const BnStats& stats) const {
  const at::NoGradGuard no_grad;
  ExecuteOptions options;
  options.norm_eps = impl_->norm_eps;
  options.given = &stats;
  return execute(plan, impl_->weights(plan), x, options);
}

const std::vector<std::pair<std::string, at::Tensor>>& Supernet::state() const {
  return impl_->state;
}

void Supernet::to_device(const std::string& device) { impl_->to(at::kFloat, at::Device(device)); }

formats::TensorFile Supernet::export_state() const {
  formats::TensorFile file;
  for (const auto& [name, tensor] : impl_->state) file.tensors.push_back(to_named(name, tensor));
  return file;
}

void Supernet::import_state(const formats::TensorFile& file, const std::string& where) {
  std::vector<std::string> problems;
  std::set<std::string_view> known;
  for (const auto& [name, tensor] : impl_->state) {
    known.insert(name);
    const formats::NamedTensor* stored = file.find(name);
    if (stored == nullptr) {
      problems.push_back(fmt::format("'{}' is missing", name));
    } else if (stored->shape != tensor.sizes().vec()) {
      problems.push_back(fmt::format("'{}' has shape [{}], expected [{}]", name,
                                     fmt::join(stored->shape, ", "),
                                     fmt::join(tensor.sizes().vec(), ", ")));
    } else if ((stored->dtype == formats::DType::kInt64) != (tensor.scalar_type() == at::kLong)) {
      problems.push_back(fmt::format("'{}' has another element type", name));
    }
  }
  for (const formats::NamedTensor& tensor : file.tensors) {
    if (!known.contains(tensor.name)) {
      problems.push_back(fmt::format("'{}' does not belong to this network", tensor.name));
    }
  }
  if (!problems.empty()) {
    throw DataError(fmt::format("{}: {}", where, fmt::join(problems, "; ")));
  }
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : impl_->state) tensor.copy_(to_tensor(*file.find(name)));
}

}  // namespace omnifit::supernet
