#include "supernet/static_network.hpp"

#include "core/error.hpp"
#include "formats/random_network.hpp"
#include "supernet/static_parts.hpp"
#include "supernet/tensor_conversion.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

namespace omnifit::supernet {
namespace {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

at::Tensor conv_layout(const at::Tensor& weight) {
  return weight.contiguous(at::MemoryFormat::ChannelsLast);
}

/// Lists the weights of a unit in the order of FoldedNetwork; undefined ones are skipped.
class PartLister {
 public:
  PartLister(std::size_t unit, NamedTensors& out) : unit_(unit), out_(out) {}

  void operator()(const std::monostate&) {}
  void operator()(const ConvWeights& weights) { conv("", weights); }
  void operator()(const MbConvWeights& weights) {
    conv("expand.", weights.expand);
    conv("depthwise.", weights.depthwise);
    const auto& se = weights.squeeze_excite;
    add("se.reduce.weight", se.reduce_weight);
    add("se.reduce.bias", se.reduce_bias);
    add("se.expand.weight", se.expand_weight);
    add("se.expand.bias", se.expand_bias);
    conv("project.", weights.project);
  }
  void operator()(const LinearWeights& weights) {
    add("weight", weights.weight);
    add("bias", weights.bias);
  }
  void operator()(const BottleneckWeights& weights) {
    conv("conv1.", weights.conv1);
    conv("conv2.", weights.conv2);
    conv("conv3.", weights.conv3);
    conv("downsample.", weights.downsample);
  }

 private:
  void add(const std::string& part, const at::Tensor& tensor) {
    if (tensor.defined()) out_.emplace_back(fmt::format("units.{}.{}", unit_, part), tensor);
  }
  void conv(const std::string& prefix, const ConvWeights& weights) {
    add(prefix + "weight", weights.weight);
    add(prefix + "bias", weights.bias);
  }

  std::size_t unit_;
  NamedTensors& out_;
};

/// Inverse of PartLister: takes the tensors of a unit by name.
class PartReader {
 public:
  PartReader(std::size_t unit, const std::map<std::string, at::Tensor>& tensors)
      : unit_(unit), tensors_(tensors) {}

  UnitWeights operator()(const space::ConvSpec&) { return conv(""); }
  UnitWeights operator()(const space::MbConvSpec&) {
    MbConvWeights weights;
    weights.expand = conv("expand.");
    weights.depthwise = conv("depthwise.");
    weights.squeeze_excite = {get("se.reduce.weight"), get("se.reduce.bias"),
                              get("se.expand.weight"), get("se.expand.bias")};
    weights.project = conv("project.");
    return weights;
  }
  UnitWeights operator()(const space::PoolSpec&) { return std::monostate{}; }
  UnitWeights operator()(const space::LinearSpec&) {
    return LinearWeights{get("weight"), get("bias")};
  }
  UnitWeights operator()(const space::BottleneckSpec&) {
    return BottleneckWeights{conv("conv1."), conv("conv2."), conv("conv3."), conv("downsample.")};
  }
  UnitWeights operator()(const space::MaxPoolSpec&) { return std::monostate{}; }

 private:
  [[nodiscard]] at::Tensor get(const std::string& part) const {
    const auto found = tensors_.find(fmt::format("units.{}.{}", unit_, part));
    return found == tensors_.end() ? at::Tensor() : found->second;
  }
  [[nodiscard]] ConvWeights conv(const std::string& prefix) const {
    return {get(prefix + "weight"), get(prefix + "bias"), {}, {}};
  }

  std::size_t unit_;
  const std::map<std::string, at::Tensor>& tensors_;
};

std::vector<UnitWeights> read_units(const space::NetworkPlan& plan, const NamedTensors& tensors) {
  const std::map<std::string, at::Tensor> by_name(tensors.begin(), tensors.end());
  std::vector<UnitWeights> weights;
  for (std::size_t i = 0; i < plan.units.size(); ++i) {
    PartReader reader(i, by_name);
    weights.push_back(std::visit(reader, plan.units[i].spec));
  }
  return weights;
}

NamedTensors list_units(const std::vector<UnitWeights>& weights) {
  NamedTensors tensors;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    PartLister lister(i, tensors);
    std::visit(lister, weights[i]);
  }
  return tensors;
}

}  // namespace

struct StaticNetwork::Impl {
  space::NetworkPlan plan;
  NamedTensors tensors;
  std::vector<UnitWeights> weights;

  Impl(space::NetworkPlan network_plan, NamedTensors named)
      : plan(std::move(network_plan)), tensors(std::move(named)) {
    for (auto& [name, tensor] : tensors) {
      tensor = tensor.detach();
      if (tensor.dim() == 4) tensor = conv_layout(tensor);
    }
    weights = read_units(plan, tensors);
  }
};

StaticNetwork::StaticNetwork(const formats::FoldedNetwork& network) {
  network.validate();
  NamedTensors tensors;
  for (const formats::NamedTensor& tensor : network.tensors) {
    tensors.emplace_back(tensor.name, to_tensor(tensor));
  }
  impl_ = std::make_unique<Impl>(network.plan, std::move(tensors));
}

StaticNetwork::StaticNetwork(StaticParts parts)
    : impl_(std::make_unique<Impl>(std::move(parts.plan), list_units(parts.weights))) {}

StaticNetwork::StaticNetwork(StaticNetwork&&) noexcept = default;
StaticNetwork& StaticNetwork::operator=(StaticNetwork&&) noexcept = default;
StaticNetwork::~StaticNetwork() = default;

StaticNetwork StaticNetwork::random(const space::NetworkPlan& plan, std::uint64_t seed) {
  NamedTensors tensors;
  for (const formats::NamedTensor& tensor : formats::random_network(plan, seed).tensors) {
    tensors.emplace_back(tensor.name, to_tensor(tensor));
  }
  StaticNetwork network;
  network.impl_ = std::make_unique<Impl>(plan, std::move(tensors));
  return network;
}

at::Tensor StaticNetwork::forward(const at::Tensor& x, ops::Kernels kernels) const {
  const at::NoGradGuard no_grad;
  ExecuteOptions options;
  options.kernels = kernels;
  return execute(impl_->plan, impl_->weights, x, options);
}

const space::NetworkPlan& StaticNetwork::plan() const { return impl_->plan; }

const NamedTensors& StaticNetwork::tensors() const { return impl_->tensors; }

void StaticNetwork::to_device(const std::string& device) {
  for (auto& [name, tensor] : impl_->tensors) tensor = tensor.to(at::Device(device));
  impl_->weights = read_units(impl_->plan, impl_->tensors);
}

formats::FoldedNetwork StaticNetwork::folded() const {
  formats::FoldedNetwork network;
  network.plan = impl_->plan;
  for (const auto& [name, tensor] : impl_->tensors) {
    network.tensors.push_back(to_named(name, tensor));
  }
  return network;
}

}  // namespace omnifit::supernet
