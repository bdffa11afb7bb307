#include "formats/folded_network.hpp"

#include "core/error.hpp"
#include "formats/tensor_file_header.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace omnifit::formats {

namespace {

std::string tensor_name(std::size_t unit, std::string_view part) {
  return fmt::format("units.{}.{}", unit, part);
}

/// Collects the tensors of one unit in the order of the format.
class UnitShapes {
 public:
  UnitShapes(std::size_t unit, std::vector<TensorShape>& out) : unit_(unit), out_(out) {}

  void operator()(const space::ConvSpec& spec) {
    const bool bias = spec.batch_norm || spec.bias;
    conv("", spec.out_channels, spec.in_channels, spec.kernel_size, bias);
  }
  void operator()(const space::MbConvSpec& spec) {
    if (spec.expand) conv("expand.", spec.mid_channels, spec.in_channels, 1);
    conv("depthwise.", spec.mid_channels, 1, spec.kernel_size);
    if (spec.se_channels > 0) {
      conv("se.reduce.", spec.se_channels, spec.mid_channels, 1);
      conv("se.expand.", spec.mid_channels, spec.se_channels, 1);
    }
    conv("project.", spec.out_channels, spec.mid_channels, 1);
  }
  void operator()(const space::PoolSpec&) {}
  void operator()(const space::LinearSpec& spec) {
    add("weight", {spec.out_features, spec.in_features});
    add("bias", {spec.out_features});
  }
  void operator()(const space::BottleneckSpec& spec) {
    conv("conv1.", spec.mid_channels, spec.in_channels, 1);
    conv("conv2.", spec.mid_channels, spec.mid_channels, spec.kernel_size);
    conv("conv3.", spec.out_channels, spec.mid_channels, 1);
    if (spec.downsample != space::Downsample::kNone) {
      conv("downsample.", spec.out_channels, spec.in_channels, 1);
    }
  }
  void operator()(const space::MaxPoolSpec&) {}

 private:
  void add(const std::string& part, std::vector<std::int64_t> shape) {
    out_.push_back({tensor_name(unit_, part), std::move(shape)});
  }
  void conv(const std::string& prefix, int out, int in, int kernel_size, bool bias = true) {
    add(prefix + "weight", {out, in, kernel_size, kernel_size});
    if (bias) add(prefix + "bias", {out});
  }

  std::size_t unit_;
  std::vector<TensorShape>& out_;
};

/// What is wrong with one tensor that should be there, or "".
std::string problem(const NamedTensor& tensor, const TensorShape& expected) {
  if (tensor.dtype != DType::kFloat32) return fmt::format("'{}' is not F32", expected.name);
  if (tensor.shape != expected.shape) {
    return fmt::format("'{}' has shape {}, expected {}", expected.name, shape_text(tensor.shape),
                       shape_text(expected.shape));
  }
  const auto values = tensor.floats();
  if (tensor.data.size() != values.size_bytes() ||
      values.size() != static_cast<std::size_t>(tensor.count())) {
    return fmt::format("'{}' has {} bytes, expected {}", expected.name, tensor.data.size(),
                       static_cast<std::size_t>(tensor.count()) * sizeof(float));
  }
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
    return fmt::format("'{}' holds NaN or infinity", expected.name);
  }
  return "";
}

/// Whether a unit adds its input to its output.
bool has_identity_shortcut(const space::LayerSpec& spec) {
  return std::visit(space::Overloaded{[](const space::ConvSpec& s) { return s.shortcut; },
                                      [](const space::MbConvSpec& s) { return s.shortcut; },
                                      [](const space::BottleneckSpec& s) {
                                        return s.downsample == space::Downsample::kNone;
                                      },
                                      [](const auto&) { return false; }},
                    spec);
}

/// Side of the unit's kernel; 1 where it has none.
int kernel_size(const space::LayerSpec& spec) {
  return std::visit(space::Overloaded{[](const space::PoolSpec&) { return 1; },
                                      [](const space::LinearSpec&) { return 1; },
                                      [](const auto& s) { return s.kernel_size; }},
                    spec);
}

/// What does not hold inside a unit, or "".
std::string unit_problem(const space::LayerSpec& spec) {
  // Padding of half an even kernel would give other sizes than the plan says.
  if (kernel_size(spec) % 2 == 0) {
    return fmt::format("has a kernel of even size {}", kernel_size(spec));
  }
  const auto* block = std::get_if<space::MbConvSpec>(&spec);
  if (block != nullptr && !block->expand && block->mid_channels != block->in_channels) {
    return "has no expansion although its widths differ";
  }
  if (has_identity_shortcut(spec) && space::input_shape(spec) != space::output_shape(spec)) {
    return "has a shortcut between different shapes";
  }
  return "";
}

std::string feature_text(const space::FeatureShape& shape) {
  return fmt::format("[{}, {}, {}]", shape.channels, shape.px, shape.px);
}

/// Every unit takes what the one before gives, from the image to the classes.
void check_plan(const space::NetworkPlan& plan, std::vector<std::string>& problems) {
  space::FeatureShape at{plan.io.in_channels, plan.resolution_px};
  for (std::size_t i = 0; i < plan.units.size(); ++i) {
    const space::LayerSpec& spec = plan.units[i].spec;
    if (const auto input = space::input_shape(spec); input != at) {
      problems.push_back(
          fmt::format("unit {} takes {}, but gets {}", i, feature_text(input), feature_text(at)));
    }
    if (const auto text = unit_problem(spec); !text.empty()) {
      problems.push_back(fmt::format("unit {} {}", i, text));
    }
    at = space::output_shape(spec);
  }
  if (plan.io.num_classes == 0) return;  // a part of a network: it gives features
  if (const space::FeatureShape classes{plan.io.num_classes, 1}; at != classes) {
    problems.push_back(
        fmt::format("the network gives {}, expected {}", feature_text(at), feature_text(classes)));
  }
}

}  // namespace

std::vector<TensorShape> folded_tensor_shapes(const space::NetworkPlan& plan) {
  std::vector<TensorShape> shapes;
  for (std::size_t unit = 0; unit < plan.units.size(); ++unit) {
    std::visit(UnitShapes(unit, shapes), plan.units[unit].spec);
  }
  return shapes;
}

void FoldedNetwork::validate() const {
  std::vector<std::string> problems;
  check_plan(plan, problems);
  std::map<std::string_view, const NamedTensor*> present;
  for (const NamedTensor& tensor : tensors) {
    if (!present.emplace(tensor.name, &tensor).second) {
      problems.push_back(fmt::format("'{}' occurs twice", tensor.name));
    }
  }
  const std::vector<TensorShape> expected = folded_tensor_shapes(plan);
  for (const TensorShape& shape : expected) {
    const auto found = present.find(shape.name);
    if (found == present.end()) {
      problems.push_back(fmt::format("'{}' is missing", shape.name));
      continue;
    }
    if (auto text = problem(*found->second, shape); !text.empty()) problems.push_back(text);
    present.erase(found);
  }
  for (const auto& [name, tensor] : present) {
    problems.push_back(fmt::format("'{}' belongs to no unit", name));
  }
  if (problems.empty() &&
      !std::ranges::equal(tensors, expected, {}, &NamedTensor::name, &TensorShape::name)) {
    problems.emplace_back("the tensors are not in the order of the units");
  }
  if (!problems.empty()) {
    throw DataError(fmt::format("folded network: {}", fmt::join(problems, "; ")));
  }
}

const NamedTensor& FoldedNetwork::tensor(int unit, std::string_view part) const {
  const std::string name = tensor_name(static_cast<std::size_t>(unit), part);
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  OMNIFIT_CHECK(found != tensors.end(), "folded network without '{}'", name);
  return *found;
}

}  // namespace omnifit::formats
