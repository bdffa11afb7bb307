#include "formats/inference_graph.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace omnifit::formats {

namespace {

/// Names of the units: blocks count from 0, so do the convolutions before ("stem") and after
/// ("head") them.
std::vector<std::string> unit_names(const space::NetworkPlan& plan) {
  std::vector<std::string> names;
  int stems = 0;
  int blocks = 0;
  int heads = 0;
  const auto next_block = [&] { return fmt::format("block.{}", blocks++); };
  for (const space::PlanUnit& unit : plan.units) {
    names.push_back(std::visit(
        space::Overloaded{
            [&](const space::ConvSpec&) {
              if (blocks > 0) return fmt::format("head.{}", heads++);
              return stems++ == 0 ? std::string("stem") : fmt::format("stem.{}", stems - 1);
            },
            [&](const space::MbConvSpec&) { return next_block(); },
            [](const space::PoolSpec&) { return std::string("pool"); },
            [](const space::LinearSpec&) { return std::string("classifier"); },
            [&](const space::BottleneckSpec&) { return next_block(); },
            [](const space::MaxPoolSpec&) { return std::string("max_pool"); },
        },
        unit.spec));
  }
  return names;
}

void check_normalisation(const InputNormalisation& normalisation, int channels) {
  const auto expected = static_cast<std::size_t>(channels);
  const auto positive = [](float value) { return std::isfinite(value) && value > 0; };
  const auto finite = [](float value) { return std::isfinite(value); };
  if (normalisation.mean.size() != expected || normalisation.std.size() != expected ||
      !std::ranges::all_of(normalisation.mean, finite) ||
      !std::ranges::all_of(normalisation.std, positive)) {
    throw std::invalid_argument(fmt::format(
        "normalisation must have a finite mean and a positive deviation for each of "
        "{} channels, got mean [{}], std [{}]",
        channels, fmt::join(normalisation.mean, ", "), fmt::join(normalisation.std, ", ")));
  }
}

}  // namespace

/// Appends the nodes of one unit after the other; `value_` is the name of the newest value.
class InferenceGraphBuilder {
 public:
  InferenceGraphBuilder(const FoldedNetwork& network, InferenceGraph& graph)
      : network_(network), graph_(graph) {}

  void normalise(const InputNormalisation& normalisation) {
    constant(GraphOp::kSubtract, "normalise/subtract", "normalise/mean", normalisation.mean);
    constant(GraphOp::kDivide, "normalise/divide", "normalise/std", normalisation.std);
  }

  void unit(int index, std::string name) {
    unit_ = index;
    name_ = std::move(name);
    std::visit([this](const auto& spec) { append(spec); },
               network_.plan.units[static_cast<std::size_t>(index)].spec);
  }

 private:
  void append(const space::ConvSpec& spec) {
    const std::string input = value_;
    conv(name_ + "/conv", "", spec.kernel_size, spec.stride, 1, spec.batch_norm || spec.bias);
    activation(name_ + "/act", spec.act);
    if (spec.shortcut) node(GraphOp::kAdd, name_ + "/add", {value_, input});
  }

  void append(const space::MbConvSpec& spec) {
    const std::string input = value_;
    if (spec.expand) {
      conv(name_ + "/expand", "expand.", 1, 1, 1);
      activation(name_ + "/expand_act", spec.act);
    }
    conv(name_ + "/depthwise", "depthwise.", spec.kernel_size, spec.stride, spec.mid_channels);
    activation(name_ + "/depthwise_act", spec.act);
    if (spec.se_channels > 0) squeeze_excite();
    conv(name_ + "/project", "project.", 1, 1, 1);
    if (spec.shortcut) node(GraphOp::kAdd, name_ + "/add", {value_, input});
  }

  void append(const space::PoolSpec&) { node(GraphOp::kGlobalPool, name_, {value_}); }

  void append(const space::LinearSpec&) {
    node(GraphOp::kFlatten, name_ + "/flatten", {value_});
    GraphNode& linear = node(GraphOp::kLinear, name_ + "/linear", {value_});
    linear.parameters = parameters(linear.name, "", true);
  }

  void append(const space::BottleneckSpec& spec) {
    const std::string input = value_;
    conv(name_ + "/conv1", "conv1.", 1, 1, 1);
    activation(name_ + "/act1", spec.act);
    conv(name_ + "/conv2", "conv2.", spec.kernel_size, spec.stride, 1);
    activation(name_ + "/act2", spec.act);
    conv(name_ + "/conv3", "conv3.", 1, 1, 1);
    const std::string result = value_;
    value_ = input;
    downsample(spec);
    node(GraphOp::kAdd, name_ + "/add", {result, value_});
    activation(name_ + "/act", spec.act);
  }

  void downsample(const space::BottleneckSpec& spec) {
    if (spec.downsample == space::Downsample::kNone) return;
    const bool pooled = spec.downsample == space::Downsample::kAvgPoolConv;
    if (pooled && spec.stride > 1) {
      GraphNode& pool = node(GraphOp::kAveragePool, name_ + "/downsample_pool", {value_});
      pool.kernel_size = spec.stride;
      pool.stride = spec.stride;
    }
    conv(name_ + "/downsample", "downsample.", 1, pooled ? 1 : spec.stride, 1);
  }

  void append(const space::MaxPoolSpec& spec) {
    GraphNode& pool = node(GraphOp::kMaxPool, name_, {value_});
    pool.kernel_size = spec.kernel_size;
    pool.stride = spec.stride;
  }

  void squeeze_excite() {
    const std::string features = value_;
    node(GraphOp::kGlobalPool, name_ + "/se_pool", {value_});
    conv(name_ + "/se_reduce", "se.reduce.", 1, 1, 1);
    node(GraphOp::kRelu, name_ + "/se_relu", {value_});
    conv(name_ + "/se_expand", "se.expand.", 1, 1, 1);
    node(GraphOp::kHardSigmoid, name_ + "/se_gate", {value_});
    node(GraphOp::kMultiply, name_ + "/se_scale", {features, value_});
  }

  void conv(const std::string& name, const std::string& part, int kernel_size, int stride,
            int groups, bool bias = true) {
    GraphNode& added = node(GraphOp::kConv, name, {value_});
    added.kernel_size = kernel_size;
    added.stride = stride;
    added.groups = groups;
    added.parameters = parameters(name, part, bias);
  }

  void activation(const std::string& name, space::Act act) {
    switch (act) {
      case space::Act::kNone:
        return;
      case space::Act::kRelu:
        node(GraphOp::kRelu, name, {value_});
        return;
      case space::Act::kRelu6:
        node(GraphOp::kRelu6, name, {value_});
        return;
      case space::Act::kHSwish:
        node(GraphOp::kHardSwish, name, {value_});
        return;
    }
  }

  void constant(GraphOp op, const std::string& name, const std::string& constant_name,
                const std::vector<float>& values) {
    const auto channels = static_cast<std::int64_t>(values.size());
    graph_.constants_.push_back(
        NamedTensor::from_floats(constant_name, {1, channels, 1, 1}, values));
    node(op, name, {value_}).parameters = {{constant_name, &graph_.constants_.back()}};
  }

  GraphNode& node(GraphOp op, std::string name, std::vector<std::string> inputs) {
    value_ = name;
    GraphNode& added = graph_.nodes_.emplace_back();
    added.op = op;
    added.output = name;
    added.name = std::move(name);
    added.inputs = std::move(inputs);
    return added;
  }

  [[nodiscard]] std::vector<GraphParameter> parameters(const std::string& name,
                                                       const std::string& part, bool bias) const {
    std::vector<GraphParameter> found{{name + ".weight", &network_.tensor(unit_, part + "weight")}};
    if (bias) found.push_back({name + ".bias", &network_.tensor(unit_, part + "bias")});
    return found;
  }

  const FoldedNetwork& network_;
  InferenceGraph& graph_;
  int unit_ = 0;
  std::string name_;
  std::string value_ = InferenceGraph::kInput;
};

InferenceGraph::InferenceGraph(const FoldedNetwork& network,
                               const std::optional<InputNormalisation>& normalisation) {
  network.validate();
  InferenceGraphBuilder builder(network, *this);
  if (normalisation) {
    check_normalisation(*normalisation, network.plan.io.in_channels);
    builder.normalise(*normalisation);
  }
  const std::vector<std::string> names = unit_names(network.plan);
  for (std::size_t i = 0; i < names.size(); ++i) builder.unit(static_cast<int>(i), names[i]);
  nodes_.back().output = kOutput;
}

}  // namespace omnifit::formats
