#pragma once

#include "space/plan.hpp"

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

/// Building blocks of the fused kernels: vectors of floats, activations on them, and deterministic
/// threads. No LibTorch.
namespace omnifit::supernet::ops::simd {

/// Sixteen and eight floats; the compiler maps them to what the machine has.
using F16 = float __attribute__((vector_size(64)));
using F8 = float __attribute__((vector_size(32)));

template <class V>
constexpr int kLanes = static_cast<int>(sizeof(V) / sizeof(float));

template <class V>
inline V load(const float* from) {
  V value;
  std::memcpy(&value, from, sizeof(V));
  return value;
}
template <class V>
inline void store(float* to, V value) {
  std::memcpy(to, &value, sizeof(V));
}
template <class V>
inline V splat(float value) {
  return V{} + value;
}
template <class V>
inline V max(V a, V b) {
  return a > b ? a : b;
}
template <class V>
inline V min(V a, V b) {
  return a < b ? a : b;
}

/// act(u).
template <space::Act A, class V>
inline V activation(V u) {
  const V zero = splat<V>(0.0F);
  if constexpr (A == space::Act::kRelu) return max(u, zero);
  if constexpr (A == space::Act::kRelu6) return min(max(u, zero), splat<V>(6.0F));
  if constexpr (A == space::Act::kHSwish) {
    return u * min(max(u + 3.0F, zero), splat<V>(6.0F)) * (1.0F / 6.0F);
  }
  return u;
}

/// gradient * act'(u), with LibTorch's choices at the corners.
template <space::Act A, class V>
inline V through_activation(V gradient, V u) {
  const V zero = splat<V>(0.0F);
  if constexpr (A == space::Act::kRelu) return u > 0.0F ? gradient : zero;
  if constexpr (A == space::Act::kRelu6) {
    const V below = u < 6.0F ? gradient : zero;
    return u > 0.0F ? below : zero;
  }
  if constexpr (A == space::Act::kHSwish) {
    const V middle = gradient * (u * (1.0F / 3.0F) + 0.5F);
    const V upper = u > 3.0F ? gradient : middle;
    return u < -3.0F ? zero : upper;
  }
  return gradient;
}

/// Calls `body.operator()<A>()` with the activation as a constant.
template <class Body>
inline void with_act(space::Act act, Body&& body) {
  switch (act) {
    case space::Act::kNone:
      body.template operator()<space::Act::kNone>();
      break;
    case space::Act::kRelu:
      body.template operator()<space::Act::kRelu>();
      break;
    case space::Act::kRelu6:
      body.template operator()<space::Act::kRelu6>();
      break;
    case space::Act::kHSwish:
      body.template operator()<space::Act::kHSwish>();
      break;
  }
}

/// Calls `body.operator()<V>(first)` for blocks of channels: sixteen at a time, eight at the end.
/// @pre channels % 8 == 0
template <class Body>
inline void for_channel_blocks(int channels, Body&& body) {
  int first = 0;
  for (; first + 16 <= channels; first += 16) body.template operator()<F16>(first);
  if (first < channels) body.template operator()<F8>(first);
}

/// Zeroed floats on a cache line boundary: vectors that cross one cost two loads.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::size_t count) : blocks_((count + 15) / 16) {}
  [[nodiscard]] float* data() { return reinterpret_cast<float*>(blocks_.data()); }
  [[nodiscard]] const float* data() const { return reinterpret_cast<const float*>(blocks_.data()); }
  float& operator[](std::size_t index) { return data()[index]; }
  float operator[](std::size_t index) const { return data()[index]; }

 private:
  std::vector<F16> blocks_;
};

constexpr int round_up(int value, int multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// A contiguous share of `count` items.
struct Share {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

inline Share share_of(std::int64_t count, int part, int parts) {
  return {count * part / parts, count * (part + 1) / parts};
}

}  // namespace omnifit::supernet::ops::simd
