#include "core/error.hpp"
#include "formats/tensor_file.hpp"

#include <bit>
#include <cmath>
#include <cstring>

namespace omnifit::formats {
namespace {

float from_half(std::uint16_t bits) {
  constexpr int kMantissaBits = 10;
  const int exponent = bits >> kMantissaBits & 0x1f;
  const int mantissa = bits & 0x3ff;
  const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 0x1f) {
    return mantissa == 0 ? sign * INFINITY : NAN;
  }
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -14 - kMantissaBits);
  return sign * std::ldexp(static_cast<float>(mantissa | 0x400), exponent - 15 - kMantissaBits);
}

float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

template <class T, class Convert>
std::vector<float> convert(const NamedTensor& tensor, Convert to_float) {
  std::vector<float> values(tensor.data.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value{};
    std::memcpy(&value, tensor.data.data() + i * sizeof(T), sizeof(T));
    values[i] = to_float(value);
  }
  return values;
}

template <class T>
std::vector<float> convert(const NamedTensor& tensor) {
  return convert<T>(tensor, [](T value) { return static_cast<float>(value); });
}

std::vector<float> float_values(const NamedTensor& tensor) {
  switch (tensor.dtype) {
    case DType::kFloat32:
      return convert<float>(tensor);
    case DType::kFloat64:
      return convert<double>(tensor);
    case DType::kFloat16:
      return convert<std::uint16_t>(tensor, from_half);
    case DType::kBFloat16:
      return convert<std::uint16_t>(tensor, from_bfloat16);
    case DType::kInt64:
      return convert<std::int64_t>(tensor);
    case DType::kInt32:
      return convert<std::int32_t>(tensor);
    case DType::kInt16:
      return convert<std::int16_t>(tensor);
    case DType::kInt8:
      return convert<std::int8_t>(tensor);
    case DType::kUInt8:
      return convert<std::uint8_t>(tensor);
    case DType::kBool:
      return convert<std::uint8_t>(tensor, [](std::uint8_t value) { return value ? 1.0F : 0.0F; });
  }
  OMNIFIT_CHECK(false, "unknown element type {}", static_cast<int>(tensor.dtype));
}

}  // namespace

NamedTensor NamedTensor::to_float32() const {
  return from_floats(name, shape, float_values(*this));
}

}  // namespace omnifit::formats
