#include "supernet/tensor_conversion.hpp"

#include "core/error.hpp"

#include <ATen/ATen.h>

#include <cstring>

namespace omnifit::supernet {

formats::NamedTensor to_named(const std::string& name, const at::Tensor& tensor) {
  const bool floating = tensor.is_floating_point();
  const at::Tensor plain =
      tensor.detach().to(at::kCPU, floating ? at::kFloat : at::kLong).contiguous();
  formats::NamedTensor named;
  named.name = name;
  named.dtype = floating ? formats::DType::kFloat32 : formats::DType::kInt64;
  named.shape = plain.sizes().vec();
  named.data.resize(plain.nbytes());
  std::memcpy(named.data.data(), plain.data_ptr(), named.data.size());
  return named;
}

at::Tensor to_tensor(const formats::NamedTensor& tensor) {
  const auto dtype = [&] {
    switch (tensor.dtype) {
      case formats::DType::kFloat32:
        return at::kFloat;
      case formats::DType::kFloat64:
        return at::kDouble;
      case formats::DType::kFloat16:
        return at::kHalf;
      case formats::DType::kBFloat16:
        return at::kBFloat16;
      case formats::DType::kInt64:
        return at::kLong;
      case formats::DType::kInt32:
        return at::kInt;
      case formats::DType::kInt16:
        return at::kShort;
      case formats::DType::kInt8:
        return at::kChar;
      case formats::DType::kUInt8:
        return at::kByte;
      case formats::DType::kBool:
        return at::kBool;
    }
    OMNIFIT_CHECK(false, "unknown element type {}", static_cast<int>(tensor.dtype));
  }();
  at::Tensor plain = at::empty(tensor.shape, dtype);
  OMNIFIT_CHECK(plain.nbytes() == tensor.data.size(), "'{}' has {} bytes, expected {}", tensor.name,
                tensor.data.size(), plain.nbytes());
  std::memcpy(plain.data_ptr(), tensor.data.data(), tensor.data.size());
  return plain;
}

}  // namespace omnifit::supernet
