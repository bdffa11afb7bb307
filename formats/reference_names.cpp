#include "formats/reference_names.hpp"

#include "core/error.hpp"
#include "formats/tensor_file_header.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

namespace omnifit::formats {
namespace {

/// Spellings that mean the same; applied until none matches, each makes the name shorter.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kSpellings{{
    {".mobile_inverted_conv.", ".conv."},
    {".conv.conv.", ".conv."},
    {".bn.bn.", ".bn."},
    {".linear.linear.", ".linear."},
}};

constexpr std::string_view kMatrixSuffix = "_matrix";
constexpr std::string_view kCounterSuffix = ".num_batches_tracked";

bool is_counter(std::string_view name) { return name.ends_with(kCounterSuffix); }
bool is_matrix(std::string_view name) { return name.ends_with(kMatrixSuffix); }

bool is_floating(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 ||
         dtype == DType::kBFloat16;
}

template <class T>
std::int64_t first_value(const NamedTensor& tensor) {
  T value{};
  std::memcpy(&value, tensor.data.data(), sizeof(T));
  return static_cast<std::int64_t>(value);
}

/// The value of an integer scalar.
std::int64_t integer_value(const NamedTensor& tensor) {
  switch (tensor.dtype) {
    case DType::kInt64:
      return first_value<std::int64_t>(tensor);
    case DType::kInt32:
      return first_value<std::int32_t>(tensor);
    case DType::kInt16:
      return first_value<std::int16_t>(tensor);
    case DType::kInt8:
      return first_value<std::int8_t>(tensor);
    default:
      return first_value<std::uint8_t>(tensor);
  }
}

NamedTensor counter(const std::string& name, std::int64_t value) {
  NamedTensor tensor{name, DType::kInt64, {}, std::vector<std::byte>(sizeof(value))};
  std::memcpy(tensor.data.data(), &value, sizeof(value));
  return tensor;
}

NamedTensor identity(const TensorShape& shape) {
  const auto side = static_cast<std::size_t>(shape.shape.at(0));
  std::vector<float> values(side * side, 0.0F);
  for (std::size_t i = 0; i < side; ++i) values[i * side + i] = 1.0F;
  return NamedTensor::from_floats(shape.name, shape.shape, values);
}

/// Fills a ReferenceState and gathers what is wrong on the way.
class Matcher {
 public:
  Matcher(const TensorFile& state, const std::vector<TensorShape>& wanted)
      : state_(state), wanted_(wanted) {
    for (const NamedTensor& tensor : state.tensors) {
      const auto [found, fresh] = by_name_.emplace(reference_name(tensor.name), &tensor);
      if (!fresh) {
        problems_.push_back(fmt::format("{} and {} are the same tensor",
                                        shown_text(found->second->name), shown_text(tensor.name)));
      }
    }
    has_matrices_ = std::ranges::any_of(
        state.tensors, [](const NamedTensor& tensor) { return is_matrix(tensor.name); });
  }

  ReferenceState match(const std::string& where) {
    ReferenceState matched;
    for (const TensorShape& shape : wanted_) take(shape, matched);
    // What is left under its name belongs to no wanted tensor.
    for (const NamedTensor& tensor : state_.tensors) {
      if (const auto left = by_name_.find(reference_name(tensor.name));
          left != by_name_.end() && left->second == &tensor) {
        ++num_extra_;
        problems_.push_back(
            fmt::format("{} does not belong to this network", shown_text(tensor.name)));
      }
    }
    if (!problems_.empty()) {
      throw DataError(fmt::format("{}: {} of {} tensors missing, {} extra, {} wrong: {}", where,
                                  num_missing_, wanted_.size(), num_extra_,
                                  problems_.size() - num_missing_ - num_extra_,
                                  fmt::join(problems_, "; ")));
    }
    return matched;
  }

 private:
  void take(const TensorShape& shape, ReferenceState& matched) {
    const auto found = by_name_.extract(reference_name(shape.name));
    if (found.empty()) return fill(shape, matched);
    const NamedTensor& tensor = *found.mapped();
    const bool counts = is_counter(shape.name);
    if (is_floating(tensor.dtype) == counts) {
      return wrong(tensor, fmt::format("is {}, expected {}", dtype_name(tensor.dtype),
                                       counts ? "integers" : "a floating type"));
    }
    if (tensor.shape != shape.shape) {
      return wrong(tensor, fmt::format("has shape {}, expected {}", shape_text(tensor.shape),
                                       shape_text(shape.shape)));
    }
    if (counts) {
      matched.tensors.push_back(counter(shape.name, integer_value(tensor)));
      return;
    }
    NamedTensor converted = tensor.to_float32();
    if (!std::ranges::all_of(converted.floats(),
                             [](float value) { return std::isfinite(value); })) {
      return wrong(tensor, "holds NaN or infinity");
    }
    if (shape.name.ends_with("running_var") &&
        std::ranges::any_of(converted.floats(), [](float value) { return value < 0.0F; })) {
      return wrong(tensor, "holds a negative variance");
    }
    converted.name = shape.name;
    matched.tensors.push_back(std::move(converted));
  }

  void fill(const TensorShape& shape, ReferenceState& matched) {
    if (is_counter(shape.name)) {
      matched.tensors.push_back(counter(shape.name, 0));
    } else if (is_matrix(shape.name) && !has_matrices_) {
      matched.tensors.push_back(identity(shape));
    } else {
      ++num_missing_;
      problems_.push_back(fmt::format("'{}' is missing", shape.name));
      return;
    }
    matched.filled.push_back(shape.name);
  }

  void wrong(const NamedTensor& tensor, const std::string& what) {
    problems_.push_back(fmt::format("{} {}", shown_text(tensor.name), what));
  }

  const TensorFile& state_;
  const std::vector<TensorShape>& wanted_;
  std::map<std::string, const NamedTensor*> by_name_;
  bool has_matrices_ = false;
  std::vector<std::string> problems_;
  std::size_t num_missing_ = 0;
  std::size_t num_extra_ = 0;
};

}  // namespace

std::string reference_name(std::string_view name) {
  std::string result(name);
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [spelling, meaning] : kSpellings) {
      if (const auto at = result.find(spelling); at != std::string::npos) {
        result.replace(at, spelling.size(), meaning);
        changed = true;
      }
    }
  }
  return result;
}

const NamedTensor* find_reference_tensor(const TensorFile& state, std::string_view name) {
  const auto found =
      std::ranges::find(state.tensors, reference_name(name),
                        [](const NamedTensor& tensor) { return reference_name(tensor.name); });
  return found == state.tensors.end() ? nullptr : &*found;
}

ReferenceState match_reference_state(const TensorFile& state,
                                     const std::vector<TensorShape>& wanted,
                                     const std::string& where) {
  return Matcher(state, wanted).match(where);
}

}  // namespace omnifit::formats
