#pragma once

#include "supernet/supernet_impl.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <string>

/// Weights and images that follow from their names alone, so that recorded outputs of the reference
/// implementation need no weight files.
namespace omnifit::test {

/// The generator of the recorded parity files: element i of the tensor `name`, in [-1, 1).
class ParityValues {
 public:
  explicit ParityValues(const std::string& name) {
    for (const char c : name) {
      hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    }
  }
  double operator()(std::uint64_t i) const {
    std::uint64_t z = hash_ + i + 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    z = z ^ (z >> 31U);
    return 2.0 * (static_cast<double>(z >> 11U) * 0x1p-53) - 1.0;
  }

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325ULL;
};

/// The generator of the closed-form golden values: element i of the tensor `name`, in [0, 1).
class GoldenValues {
 public:
  explicit GoldenValues(const std::string& name) {
    for (const char c : name) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 16777619U;
  }
  double operator()(std::uint64_t i) const {
    std::uint32_t x = hash_ ^ (static_cast<std::uint32_t>(i) * 0x9E3779B1U);
    x = (x ^ (x >> 16U)) * 0x85EBCA6BU;
    x = (x ^ (x >> 13U)) * 0xC2B2AE35U;
    x = x ^ (x >> 16U);
    return static_cast<double>(x) / 4294967296.0;
  }

 private:
  std::uint32_t hash_ = 2166136261U;
};

/// What a state-dict tensor is to both generators.
enum class ValueKind { kRunningMean, kRunningVar, kMatrix, kNormWeight, kBias, kWeight };

inline ValueKind value_kind(const std::string& name, const at::Tensor& tensor) {
  if (name.ends_with("running_mean")) return ValueKind::kRunningMean;
  if (name.ends_with("running_var")) return ValueKind::kRunningVar;
  if (name.ends_with("_matrix")) return ValueKind::kMatrix;
  if (tensor.dim() != 1) return ValueKind::kWeight;
  return name.ends_with("weight") ? ValueKind::kNormWeight : ValueKind::kBias;
}

/// Sets every tensor of a network to float32 values; `value(kind, name)` gives a function of the
/// index and the tensor's inputs per output.
template <class ValueOf>
void fill_state(supernet::Supernet& network, ValueOf value_of) {
  network.impl().to(at::kFloat, at::kCPU);
  for (const auto& [name, tensor] : network.state()) {
    at::Tensor values = tensor.detach();
    if (!values.is_floating_point()) {
      values.zero_();
      continue;
    }
    const ValueKind kind = value_kind(name, values);
    const auto fan_in = static_cast<double>(values.numel() / values.size(0));
    const auto value = value_of(kind, name, fan_in);
    auto* data = values.data_ptr<float>();
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      const double diagonal =
          kind == ValueKind::kMatrix && i % (values.size(0) + 1) == 0 ? 1.0 : 0.0;
      data[i] = static_cast<float>(diagonal + value(static_cast<std::uint64_t>(i)));
    }
  }
}

inline void fill_parity_state(supernet::Supernet& network, double running_var_scale) {
  fill_state(network, [=](ValueKind kind, const std::string& name, double fan_in) {
    return [=, u = ParityValues(name), bound = std::sqrt(3.0 / fan_in)](std::uint64_t i) {
      switch (kind) {
        case ValueKind::kRunningVar:
          return running_var_scale * (1.0 + 0.5 * u(i));
        case ValueKind::kNormWeight:
          return 1.0 + 0.25 * u(i);
        case ValueKind::kWeight:
          return u(i) * bound;
        default:
          return 0.1 * u(i);
      }
    };
  });
}

inline void fill_golden_state(supernet::Supernet& network) {
  fill_state(network, [](ValueKind kind, const std::string& name, double fan_in) {
    return [=, u = GoldenValues(name), bound = std::sqrt(3.0 / fan_in)](std::uint64_t i) {
      switch (kind) {
        case ValueKind::kRunningVar:
          return 0.5 + u(i);
        case ValueKind::kMatrix:
          return 0.1 * (u(i) - 0.5);
        case ValueKind::kNormWeight:
          return 0.75 + 0.5 * u(i);
        case ValueKind::kWeight:
          return (2.0 * u(i) - 1.0) * bound;
        default:
          return 0.2 * (u(i) - 0.5);
      }
    };
  });
}

template <class Value>
at::Tensor images_of(std::int64_t count, std::int64_t px, Value value) {
  at::Tensor images = at::empty({count, 3, px, px}, at::kFloat);
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    images.data_ptr<float>()[i] = static_cast<float>(value(static_cast<std::uint64_t>(i)));
  }
  return images;
}

inline at::Tensor parity_images(const std::string& name, std::int64_t count, std::int64_t px) {
  return images_of(count, px, ParityValues(name));
}

inline at::Tensor golden_images(const std::string& name, std::int64_t count, std::int64_t px) {
  const GoldenValues u(name);
  return images_of(count, px, [&](std::uint64_t i) { return (2.0 * u(i) - 1.0) * 2.0; });
}

}  // namespace omnifit::test
