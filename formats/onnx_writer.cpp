#include "formats/onnx_writer.hpp"

#include "core/error.hpp"
#include "core/utf8.hpp"

#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <set>
#include <stdexcept>

namespace omnifit::formats {

namespace {

constexpr std::int64_t kOpset = 17;
constexpr std::int64_t kIrVersion = 8;
constexpr float kSixth = 1.0F / 6.0F;

void add_ints(onnx::NodeProto& node, const char* name, std::initializer_list<int> values) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const int value : values) attribute.add_ints(value);
}

void add_int(onnx::NodeProto& node, const char* name, int value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void add_float(onnx::NodeProto& node, const char* name, float value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

void set_dims(onnx::ValueInfoProto& value, const char* name, int batch_size,
              std::initializer_list<int> dims) {
  value.set_name(name);
  auto& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx::TensorProto::FLOAT);
  auto& batch = *tensor.mutable_shape()->add_dim();
  if (batch_size > 0) {
    batch.set_dim_value(batch_size);
  } else {
    batch.set_dim_param("N");
  }
  for (const int dim : dims) tensor.mutable_shape()->add_dim()->set_dim_value(dim);
}

void add_initializer(onnx::GraphProto& graph, const std::string& name,
                     const std::vector<std::int64_t>& shape, std::span<const std::byte> data) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dim : shape) tensor.add_dims(dim);
  tensor.set_raw_data(data.data(), data.size());
}

void set_conv(onnx::NodeProto& node, const GraphNode& source) {
  const int kernel_size = source.kernel_size;
  const int pad = kernel_size / 2;
  node.set_op_type("Conv");
  add_ints(node, "dilations", {1, 1});
  add_int(node, "group", source.groups);
  add_ints(node, "kernel_shape", {kernel_size, kernel_size});
  add_ints(node, "pads", {pad, pad, pad, pad});
  add_ints(node, "strides", {source.stride, source.stride});
}

void set_pool(onnx::NodeProto& node, const GraphNode& source) {
  const bool average = source.op == GraphOp::kAveragePool;
  const int pad = average ? 0 : source.kernel_size / 2;
  node.set_op_type(average ? "AveragePool" : "MaxPool");
  if (average) add_int(node, "ceil_mode", 1);
  add_ints(node, "kernel_shape", {source.kernel_size, source.kernel_size});
  add_ints(node, "pads", {pad, pad, pad, pad});
  add_ints(node, "strides", {source.stride, source.stride});
}

/// ONNX writes the bounds of Clip as two scalar inputs; all nodes share one pair.
void set_relu6(onnx::NodeProto& node, onnx::GraphProto& graph, std::set<std::string>& shared) {
  node.set_op_type("Clip");
  for (const auto& [name, value] : {std::pair{"relu6.min", 0.0F}, std::pair{"relu6.max", 6.0F}}) {
    if (shared.insert(name).second) {
      add_initializer(graph, name, {}, std::as_bytes(std::span(&value, 1)));
    }
    node.add_input(name);
  }
}

void set_operator(onnx::NodeProto& node, const GraphNode& source, onnx::GraphProto& graph,
                  std::set<std::string>& shared) {
  switch (source.op) {
    case GraphOp::kSubtract:
      return node.set_op_type("Sub");
    case GraphOp::kDivide:
      return node.set_op_type("Div");
    case GraphOp::kConv:
      return set_conv(node, source);
    case GraphOp::kRelu:
      return node.set_op_type("Relu");
    case GraphOp::kRelu6:
      return set_relu6(node, graph, shared);
    case GraphOp::kHardSwish:
      return node.set_op_type("HardSwish");
    case GraphOp::kHardSigmoid:
      node.set_op_type("HardSigmoid");
      add_float(node, "alpha", kSixth);
      return add_float(node, "beta", 0.5F);
    case GraphOp::kGlobalPool:
      return node.set_op_type("GlobalAveragePool");
    case GraphOp::kMultiply:
      return node.set_op_type("Mul");
    case GraphOp::kAdd:
      return node.set_op_type("Add");
    case GraphOp::kFlatten:
      node.set_op_type("Flatten");
      return add_int(node, "axis", 1);
    case GraphOp::kLinear:
      node.set_op_type("Gemm");
      return add_int(node, "transB", 1);
    case GraphOp::kMaxPool:
    case GraphOp::kAveragePool:
      return set_pool(node, source);
  }
}

void add_node(onnx::GraphProto& graph, const GraphNode& source, std::set<std::string>& shared) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_name(source.name);
  for (const std::string& input : source.inputs) node.add_input(input);
  for (const GraphParameter& parameter : source.parameters) {
    node.add_input(parameter.name);
    add_initializer(graph, parameter.name, parameter.tensor->shape, parameter.tensor->data);
  }
  set_operator(node, source, graph, shared);
  node.add_output(source.output);
}

void check_options(const OnnxOptions& options) {
  if (options.model_name.empty()) throw std::invalid_argument("model_name must not be empty");
  if (options.batch_size < 0) {
    throw std::invalid_argument(
        fmt::format("batch_size must be at least 0 (0 = any), got {}", options.batch_size));
  }
  for (const auto& [key, value] : options.metadata) {
    if (!core::is_utf8(key) || !core::is_utf8(value)) {
      throw DataError("ONNX metadata must be UTF-8 text");
    }
  }
  if (!core::is_utf8(options.model_name) || !core::is_utf8(options.producer_version)) {
    throw DataError("ONNX model name and version must be UTF-8 text");
  }
}

/// The checker sees single nodes, shape inference sees whether they fit together.
void check_and_infer(onnx::ModelProto& model) {
  std::string refusal;
  try {
    onnx::checker::check_model(model);
    onnx::ShapeInferenceOptions options{/*check_type=*/true, /*strict_mode=*/1,
                                        /*enable_data_propagation=*/false};
    onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), options);
    onnx::checker::check_model(model);
  } catch (const std::exception& error) {
    refusal = error.what();
  }
  OMNIFIT_CHECK(refusal.empty(), "the ONNX checker refuses the model: {}", refusal);
}

std::string dims_text(const onnx::ValueInfoProto& value) {
  std::string text;
  for (const auto& dim : value.type().tensor_type().shape().dim()) {
    text += text.empty() ? "" : ", ";
    text += dim.has_dim_value() ? std::to_string(dim.dim_value()) : dim.dim_param();
  }
  return fmt::format("{} [{}]", value.name(), text);
}

std::string attribute_text(const onnx::AttributeProto& attribute) {
  switch (attribute.type()) {
    case onnx::AttributeProto::INT:
      return fmt::format("{}={}", attribute.name(), attribute.i());
    case onnx::AttributeProto::FLOAT:
      return fmt::format("{}={}", attribute.name(), attribute.f());
    case onnx::AttributeProto::INTS:
      return fmt::format("{}=[{}]", attribute.name(), fmt::join(attribute.ints(), ", "));
    default:
      return fmt::format("{}=…", attribute.name());
  }
}

}  // namespace

std::string onnx_model(const FoldedNetwork& network, const OnnxOptions& options) {
  check_options(options);
  const InferenceGraph source(network, options.normalisation);
  const space::NetworkPlan& plan = network.plan;

  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("omnifit");
  model.set_producer_version(options.producer_version);
  model.add_opset_import()->set_version(kOpset);
  for (const auto& [key, value] : options.metadata) {
    auto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name(options.model_name);
  set_dims(*graph.add_input(), InferenceGraph::kInput, options.batch_size,
           {plan.io.in_channels, plan.resolution_px, plan.resolution_px});
  std::set<std::string> shared;
  for (const GraphNode& node : source.nodes()) add_node(graph, node, shared);
  if (plan.io.num_classes > 0) {
    set_dims(*graph.add_output(), InferenceGraph::kOutput, options.batch_size,
             {plan.io.num_classes});
  } else {
    const space::FeatureShape features = space::output_shape(plan.units.back().spec);
    set_dims(*graph.add_output(), InferenceGraph::kOutput, options.batch_size,
             {features.channels, features.px, features.px});
  }

  check_and_infer(model);
  return model.SerializeAsString();
}

std::string describe_onnx(const std::string& bytes) {
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes) || !model.has_graph() || model.opset_import_size() == 0) {
    throw DataError("not an ONNX model");
  }
  std::string text = fmt::format("ir_version {} opset {} graph {}\n", model.ir_version(),
                                 model.opset_import(0).version(), model.graph().name());
  for (const auto& entry : model.metadata_props()) {
    text += fmt::format("metadata {}: {}\n", entry.key(), entry.value());
  }
  for (const auto& input : model.graph().input()) {
    text += fmt::format("input {}\n", dims_text(input));
  }
  for (const auto& node : model.graph().node()) {
    std::vector<std::string> attributes;
    for (const auto& attribute : node.attribute()) attributes.push_back(attribute_text(attribute));
    text += fmt::format("node {}: {}({}){}{} -> {}\n", node.name(), node.op_type(),
                        fmt::join(node.input(), ", "), attributes.empty() ? "" : " ",
                        fmt::join(attributes, " "), fmt::join(node.output(), ", "));
  }
  for (const auto& value : model.graph().value_info()) {
    text += fmt::format("value {}\n", dims_text(value));
  }
  for (const auto& output : model.graph().output()) {
    text += fmt::format("output {}\n", dims_text(output));
  }
  return text;
}

}  // namespace omnifit::formats
