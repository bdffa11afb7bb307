#include "supernet/ops/kernel_sums.hpp"
#include "supernet/ops/kernels.hpp"
#include "supernet/ops/simd.hpp"
#include "supernet/ops/worker_pool.hpp"

#include <cstdint>

namespace omnifit::supernet::ops::kernels {
namespace {

using simd::load;
using simd::store;

/// Calls `visit.operator()<A, V>(image, channel, scale, shift)` for every channel block of every
/// image of a part.
template <class Visit>
void for_blocks(const ImageShape& shape, const Input& x, int part, int parts, Visit&& visit) {
  const simd::Share share = simd::share_of(shape.images, part, parts);
  simd::with_act(x.act, [&]<space::Act A>() {
    for (std::int64_t image = share.begin; image < share.end; ++image) {
      simd::for_channel_blocks(shape.channels, [&]<class V>(int channel) {
        const V scale = x.plain() ? simd::splat<V>(1.0F) : load<V>(x.scale + channel);
        const V shift = x.plain() ? V{} : load<V>(x.shift + channel);
        visit.template operator()<A, V>(image, channel, scale, shift);
      });
    }
  });
}

/// The gradient of x from `gradient(i)`, that of the value at pixel offset i, for every kernel of
/// this file.
template <class Gradient>
void backward(const ImageShape& shape, const Input& x, const InputGradient& x_gradient, int parts,
              Gradient&& gradient) {
  ChannelSums sums(parts, x.plain() ? 0 : shape.channels);
  parallel_parts(parts, [&](int part) {
    for_blocks(shape, x, part, parts,
               [&]<space::Act A, class V>(std::int64_t image, int channel, V scale, V shift) {
                 V scale_sum{};
                 V shift_sum{};
                 std::int64_t at = image * shape.pixels * shape.channels + channel;
                 for (std::int64_t p = 0; p < shape.pixels; ++p, at += shape.channels) {
                   const V raw = load<V>(x.raw + at);
                   const V value = simd::through_activation<A>(
                       gradient.template operator()<V>(image, channel, at), raw * scale + shift);
                   store(x_gradient.raw + at, value * scale);
                   shift_sum += value;
                   scale_sum += value * raw;
                 }
                 if (!x.plain()) sums.add(part, channel, scale_sum, shift_sum);
               });
  });
  if (!x.plain()) sums.write(shape.channels, x_gradient.scale, x_gradient.shift);
}

}  // namespace

void add_forward(const ImageShape& shape, const Input& x, const float* shortcut, float* y,
                 int parts) {
  parallel_parts(parts, [&](int part) {
    for_blocks(shape, x, part, parts,
               [&]<space::Act A, class V>(std::int64_t image, int channel, V scale, V shift) {
                 std::int64_t at = image * shape.pixels * shape.channels + channel;
                 for (std::int64_t p = 0; p < shape.pixels; ++p, at += shape.channels) {
                   V value = simd::activation<A>(load<V>(x.raw + at) * scale + shift);
                   if (shortcut != nullptr) value += load<V>(shortcut + at);
                   store(y + at, value);
                 }
               });
  });
}

void add_backward(const ImageShape& shape, const Input& x, const float* y_gradient,
                  const InputGradient& x_gradient, int parts) {
  backward(shape, x, x_gradient, parts,
           [&]<class V>(std::int64_t, int, std::int64_t at) { return load<V>(y_gradient + at); });
}

void pool_forward(const ImageShape& shape, const Input& x, float* pooled, int parts) {
  const float share = 1.0F / static_cast<float>(shape.pixels);
  parallel_parts(parts, [&](int part) {
    for_blocks(shape, x, part, parts,
               [&]<space::Act A, class V>(std::int64_t image, int channel, V scale, V shift) {
                 std::int64_t at = image * shape.pixels * shape.channels + channel;
                 V sum{};
                 for (std::int64_t p = 0; p < shape.pixels; ++p, at += shape.channels) {
                   sum += simd::activation<A>(load<V>(x.raw + at) * scale + shift);
                 }
                 store(pooled + image * shape.channels + channel, sum * share);
               });
  });
}

void pool_backward(const ImageShape& shape, const Input& x, const float* pooled_gradient,
                   const InputGradient& x_gradient, int parts) {
  const float share = 1.0F / static_cast<float>(shape.pixels);
  backward(shape, x, x_gradient, parts,
           [&]<class V>(std::int64_t image, int channel, std::int64_t) {
             return load<V>(pooled_gradient + image * shape.channels + channel) * share;
           });
}

void gate_forward(const ImageShape& shape, const Input& x, const float* gate, float* y, int parts) {
  parallel_parts(parts, [&](int part) {
    for_blocks(shape, x, part, parts,
               [&]<space::Act A, class V>(std::int64_t image, int channel, V scale, V shift) {
                 const V factor = load<V>(gate + image * shape.channels + channel);
                 std::int64_t at = image * shape.pixels * shape.channels + channel;
                 for (std::int64_t p = 0; p < shape.pixels; ++p, at += shape.channels) {
                   const V value = simd::activation<A>(load<V>(x.raw + at) * scale + shift);
                   store(y + at, value * factor);
                 }
               });
  });
}

void gate_backward(const ImageShape& shape, const Input& x, const float* gate,
                   const float* y_gradient, const InputGradient& x_gradient, float* gate_gradient,
                   int parts) {
  parallel_parts(parts, [&](int part) {
    for_blocks(shape, x, part, parts,
               [&]<space::Act A, class V>(std::int64_t image, int channel, V scale, V shift) {
                 std::int64_t at = image * shape.pixels * shape.channels + channel;
                 V sum{};
                 for (std::int64_t p = 0; p < shape.pixels; ++p, at += shape.channels) {
                   sum += load<V>(y_gradient + at) *
                          simd::activation<A>(load<V>(x.raw + at) * scale + shift);
                 }
                 store(gate_gradient + image * shape.channels + channel, sum);
               });
  });
  backward(shape, x, x_gradient, parts,
           [&]<class V>(std::int64_t image, int channel, std::int64_t at) {
             return load<V>(y_gradient + at) * load<V>(gate + image * shape.channels + channel);
           });
}

}  // namespace omnifit::supernet::ops::kernels
