#include "exporters/torchscript.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "supernet/supernet.hpp"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <sstream>

namespace omnifit::exporters {

namespace {

constexpr const char* kTrainingFlag = "training";

/// "block.3/expand.weight" → "block_3_expand_weight".
std::string identifier(const std::string& name) {
  std::string text = name;
  for (char& c : text) {
    if (c == '.' || c == '/') c = '_';
  }
  return text;
}

std::string conv_call(const formats::GraphNode& node, const std::string& arguments) {
  const int pad = node.kernel_size / 2;
  return fmt::format("torch.conv2d({}{}, [{}, {}], [{}, {}], [1, 1], {})", arguments,
                     node.parameters.size() < 2 ? ", None" : "", node.stride, node.stride, pad, pad,
                     node.groups);
}

std::string pool_call(const formats::GraphNode& node, const std::string& arguments) {
  const bool average = node.op == formats::GraphOp::kAveragePool;
  const int pad = average ? 0 : node.kernel_size / 2;
  return fmt::format("torch.{}({}, [{}, {}], [{}, {}], [{}, {}]{})",
                     average ? "avg_pool2d" : "max_pool2d", arguments, node.kernel_size,
                     node.kernel_size, node.stride, node.stride, pad, pad, average ? ", True" : "");
}

/// The right-hand side of a node in TorchScript.
std::string expression(const formats::GraphNode& node) {
  std::string arguments;
  const auto add = [&arguments](const std::string& argument) {
    arguments += (arguments.empty() ? "" : ", ") + argument;
  };
  for (const std::string& input : node.inputs) add(identifier(input));
  for (const auto& parameter : node.parameters) add("self." + identifier(parameter.name));

  const auto call = [&arguments](const char* function, const char* more = "") {
    return fmt::format("torch.{}({}{})", function, arguments, more);
  };
  using formats::GraphOp;
  switch (node.op) {
    case GraphOp::kSubtract:
      return call("sub");
    case GraphOp::kDivide:
      return call("div");
    case GraphOp::kConv:
      return conv_call(node, arguments);
    case GraphOp::kRelu:
      return call("relu");
    case GraphOp::kRelu6:
      return call("hardtanh", ", 0., 6.");
    case GraphOp::kHardSwish:
      return call("hardswish");
    case GraphOp::kHardSigmoid:
      return call("hardsigmoid");
    case GraphOp::kGlobalPool:
      return call("mean", ", [2, 3], True");
    case GraphOp::kMultiply:
      return call("mul");
    case GraphOp::kAdd:
      return call("add");
    case GraphOp::kFlatten:
      return call("flatten", ", 1");
    case GraphOp::kLinear:
      return call("linear");
    case GraphOp::kMaxPool:
    case GraphOp::kAveragePool:
      return pool_call(node, arguments);
  }
  OMNIFIT_CHECK(false, "graph operator {}", static_cast<int>(node.op));
}

std::string source_of(const formats::InferenceGraph& graph) {
  std::string source =
      fmt::format("def forward(self, {}: Tensor) -> Tensor:\n", formats::InferenceGraph::kInput);
  for (const formats::GraphNode& node : graph.nodes()) {
    source += fmt::format("    {} = {}\n", identifier(node.output), expression(node));
  }
  return source + fmt::format("    return {}\n", formats::InferenceGraph::kOutput);
}

at::Tensor to_torch(const formats::NamedTensor& tensor) {
  const auto values = tensor.floats();
  return at::from_blob(const_cast<float*>(values.data()), tensor.shape, at::kFloat).clone();
}

/// LibTorch's errors carry a backtrace; people need the first line.
std::string first_line(const std::exception& error) {
  const auto* of_torch = dynamic_cast<const c10::Error*>(&error);
  const std::string text = of_torch != nullptr ? of_torch->what_without_backtrace() : error.what();
  return text.substr(0, text.find('\n'));
}

torch::jit::Module build(const formats::InferenceGraph& graph) {
  torch::jit::Module module("OmnifitNetwork");
  for (const formats::GraphNode& node : graph.nodes()) {
    for (const auto& parameter : node.parameters) {
      module.register_parameter(identifier(parameter.name), to_torch(*parameter.tensor), false);
    }
  }
  // Python's wrapper of a loaded module reads this flag, and freezing asks for it.
  module.register_attribute(kTrainingFlag, c10::BoolType::get(), false);
  module.define(source_of(graph));
  return torch::jit::freeze(module, std::vector<std::string>{kTrainingFlag});
}

}  // namespace

void write_torchscript(const formats::FoldedNetwork& network, const std::filesystem::path& file,
                       const TorchScriptOptions& options) {
  const at::NoGradGuard no_grad;
  const torch::jit::Module module = build(formats::InferenceGraph(network, options.normalisation));
  // Through a stream: a file of its own would be named inside the archive after its temporary path.
  std::ostringstream bytes;
  module.save(bytes, {options.metadata.begin(), options.metadata.end()});
  core::write_file_atomically(file, std::string_view(bytes.view()));
}

double prove_torchscript(const std::filesystem::path& file, const formats::NamedTensor& images,
                         const formats::NamedTensor& expected_logits) {
  const at::NoGradGuard no_grad;
  // Reading it ourselves tells a missing file from a damaged one.
  std::istringstream bytes(core::read_text_file(file));
  try {
    torch::jit::Module module = torch::jit::load(bytes);
    const at::Tensor logits =
        module.forward({to_torch(images)}).toTensor().to(at::kFloat).contiguous();
    const std::span<const float> values(logits.data_ptr<float>(),
                                        static_cast<std::size_t>(logits.numel()));
    return relative_difference(values, expected_logits.floats());
  } catch (const std::exception& error) {
    throw DataError(fmt::format("{}: not a usable TorchScript file: {}", core::path_text(file),
                                first_line(error)));
  }
}

}  // namespace omnifit::exporters
