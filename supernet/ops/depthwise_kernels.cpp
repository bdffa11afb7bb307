#include "supernet/ops/kernel_sums.hpp"
#include "supernet/ops/kernels.hpp"
#include "supernet/ops/simd.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace omnifit::supernet::ops::kernels {
namespace {

using simd::load;
using simd::store;

/// Output pixels of a row that are summed in registers at once.
constexpr int kTile = 4;

/// One image's block of channels with zero columns on both sides, a vector per pixel. Rows have no such
/// border: rows outside the image are left out of the sums instead, which on small maps is most of them.
template <class V>
class PaddedImage {
 public:
  PaddedImage(int height, int width, int padding)
      : padding_(padding),
        // A tile may start at the last pixel and reach over the border.
        stride_(width + 2 * padding + 2 * kTile),
        pixels_(static_cast<std::size_t>(height) * static_cast<std::size_t>(stride_)) {}

  [[nodiscard]] V* row(int y) { return pixels_.data() + static_cast<std::ptrdiff_t>(y) * stride_; }
  [[nodiscard]] V* interior(int y) { return row(y) + padding_; }

 private:
  int padding_;
  int stride_;
  std::vector<V> pixels_;
};

/// Rows [begin, end) of a kernel of size K that lie inside an image when its first row falls on `top`.
struct KernelRows {
  int begin = 0;
  int end = 0;
};
template <int K>
KernelRows rows_inside(int top, int height) {
  return {std::max(0, -top), std::min(K, height - top)};
}

/// sums[t] = Σ over kernel rows and columns of image[y][x + t * S + kx] * weight.
template <int K, int S, class V>
inline void correlate_tile(PaddedImage<V>& image, int top, KernelRows kernel_rows, int x,
                           const V* weights, V* sums) {
  V total[kTile]{};
  for (int ky = kernel_rows.begin; ky < kernel_rows.end; ++ky) {
    const V* from = image.row(top + ky) + x;
    const V* w = weights + ky * K;
    V window[(kTile - 1) * S + K];
#pragma GCC unroll 16
    for (int i = 0; i < (kTile - 1) * S + K; ++i) window[i] = from[i];
#pragma GCC unroll 8
    for (int kx = 0; kx < K; ++kx) {
#pragma GCC unroll 8
      for (int t = 0; t < kTile; ++t) total[t] += window[t * S + kx] * w[kx];
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < kTile; ++t) sums[t] = total[t];
}

/// Reads an input's channel block into the interior of a padded image.
template <class V>
void read_input(const Input& x, std::int64_t offset, const DepthwiseShape& shape, int channel,
                PaddedImage<V>& image) {
  const auto read = [&](auto map) {
    const float* from = x.raw + offset + channel;
    for (int y = 0; y < shape.height; ++y) {
      V* to = image.interior(y);
      for (int i = 0; i < shape.width; ++i, from += shape.channels) to[i] = map(load<V>(from));
    }
  };
  if (x.plain()) {
    read([](V value) { return value; });
    return;
  }
  const V scale = load<V>(x.scale + channel);
  const V shift = load<V>(x.shift + channel);
  simd::with_act(x.act, [&]<space::Act A>() {
    read([&](V value) { return simd::activation<A>(value * scale + shift); });
  });
}

/// [K * K] vectors of one channel block; `flipped` turns the kernel by 180 degrees.
template <int K, class V>
void read_weights(const float* weight, int channel, bool flipped, V* to) {
  for (int lane = 0; lane < simd::kLanes<V>; ++lane) {
    const float* from = weight + static_cast<std::ptrdiff_t>(channel + lane) * K * K;
    for (int i = 0; i < K * K; ++i) to[flipped ? K * K - 1 - i : i][lane] = from[i];
  }
}

template <int K, int S, class V>
void forward_block(const DepthwiseShape& shape, const Input& x, const V* weights,
                   std::int64_t image, int channel, PaddedImage<V>& scratch, float* z, V* sum,
                   V* squares) {
  const std::int64_t pixels = std::int64_t{shape.height} * shape.width;
  read_input(x, image * pixels * shape.channels, shape, channel, scratch);
  const int out_height = shape.out_height();
  const int out_width = shape.out_width();
  float* to = z + image * out_height * out_width * shape.channels + channel;
  for (int y = 0; y < out_height; ++y) {
    const int top = y * S - K / 2;
    const KernelRows kernel_rows = rows_inside<K>(top, shape.height);
    for (int x0 = 0; x0 < out_width; x0 += kTile) {
      V tile[kTile];
      correlate_tile<K, S>(scratch, top, kernel_rows, x0 * S, weights, tile);
      const int valid = std::min(kTile, out_width - x0);
      for (int t = 0; t < valid; ++t, to += shape.channels) {
        store(to, tile[t]);
        *sum += tile[t];
        *squares += tile[t] * tile[t];
      }
    }
  }
}

/// Reads the output's whole gradient into an image of the input's size: output pixel (y, x) lands on
/// (y * S, x * S), zero in between (which stays from the scratch's start).
template <int S, class V>
void read_gradient(const DepthwiseShape& shape, const OutputGradient& gradient, std::int64_t image,
                   int channel, PaddedImage<V>& scratch) {
  const int out_height = shape.out_height();
  const int out_width = shape.out_width();
  std::int64_t at = image * out_height * out_width * shape.channels + channel;
  V constant{};
  V slope{};
  if (gradient.constant != nullptr) {
    constant = load<V>(gradient.constant + channel);
    slope = load<V>(gradient.slope + channel);
  }
  for (int y = 0; y < out_height; ++y) {
    V* to = scratch.interior(y * S);
    for (int x = 0; x < out_width; ++x, at += shape.channels) {
      V value = gradient.direct != nullptr ? load<V>(gradient.direct + at) : V{};
      if (gradient.constant != nullptr) value += constant + slope * load<V>(gradient.z + at);
      to[x * S] = value;
    }
  }
}

/// weight_sums[K * K] += Σ over output pixels of gradient * input.
template <int K, int S, class V>
void add_weight_gradient(const DepthwiseShape& shape, PaddedImage<V>& input,
                         PaddedImage<V>& gradient, V* weight_sums) {
  const int out_height = shape.out_height();
  const int out_width = shape.out_width();
  for (int ky = 0; ky < K; ++ky) {
    V sums[K]{};
    for (int y = 0; y < out_height; ++y) {
      const int row = y * S - K / 2 + ky;
      if (row < 0 || row >= shape.height) continue;
      const V* from = input.row(row);
      const V* g = gradient.interior(y * S);
      for (int x0 = 0; x0 < out_width; x0 += kTile) {
        V window[(kTile - 1) * S + K];
#pragma GCC unroll 16
        for (int i = 0; i < (kTile - 1) * S + K; ++i) window[i] = from[x0 * S + i];
#pragma GCC unroll 8
        for (int t = 0; t < kTile; ++t) {
          const V of_pixel = g[(x0 + t) * S];  // zero beyond the last pixel
#pragma GCC unroll 8
          for (int kx = 0; kx < K; ++kx) sums[kx] += of_pixel * window[t * S + kx];
        }
      }
    }
    for (int kx = 0; kx < K; ++kx) weight_sums[ky * K + kx] += sums[kx];
  }
}

/// Correlates the spread gradient with the turned kernel and writes the gradient of the raw input.
template <int K, int S, space::Act A, class V>
void write_input_gradient(const DepthwiseShape& shape, const Input& x, const V* flipped,
                          std::int64_t image, int channel, PaddedImage<V>& gradient,
                          float* raw_gradient, V* scale_sum, V* shift_sum) {
  const bool lazy = !x.plain();
  const V scale = lazy ? load<V>(x.scale + channel) : V{};
  const V shift = lazy ? load<V>(x.shift + channel) : V{};
  std::int64_t at =
      image * shape.height * shape.width * shape.channels + channel;
  for (int y = 0; y < shape.height; ++y) {
    const int top = y - K / 2;
    KernelRows rows = rows_inside<K>(top, (shape.out_height() - 1) * S + 1);
    for (int x0 = 0; x0 < shape.width; x0 += kTile) {
      V tile[kTile];
      correlate_tile<K, 1>(gradient, top, rows, x0, flipped, tile);
      const int valid = std::min(kTile, shape.width - x0);
      for (int t = 0; t < valid; ++t, at += shape.channels) {
        if (!lazy) {
          store(raw_gradient + at, tile[t]);
          continue;
        }
        const V raw = load<V>(x.raw + at);
        const V value = simd::through_activation<A>(tile[t], raw * scale + shift);
        store(raw_gradient + at, value * scale);
        *shift_sum += value;
        *scale_sum += value * raw;
      }
    }
  }
}

/// Calls `body.operator()<K, S>()` with kernel size and stride as constants.
template <class Body>
void with_geometry(const DepthwiseShape& shape, Body&& body) {
  const auto with_stride = [&]<int K>() {
    if (shape.stride == 1) {
      body.template operator()<K, 1>();
    } else {
      body.template operator()<K, 2>();
    }
  };
  switch (shape.kernel_size) {
    case 3:
      with_stride.template operator()<3>();
      break;
    case 5:
      with_stride.template operator()<5>();
      break;
    default:
      with_stride.template operator()<7>();
      break;
  }
}

/// The forward pass of one part: its images, one block of channels after the other.
template <int K, int S>
void forward_part(const DepthwiseShape& shape, const Input& x, const float* weight, float* z,
                  ChannelSums* sums, int part, int parts) {
  const simd::Share share = simd::share_of(shape.images, part, parts);
  simd::for_channel_blocks(shape.channels, [&]<class V>(int channel) {
    PaddedImage<V> scratch(shape.height, shape.width, K / 2);
    V weights[K * K];
    read_weights<K>(weight, channel, false, weights);
    for (std::int64_t image = share.begin; image < share.end; ++image) {
      V sum{};
      V squares{};
      forward_block<K, S>(shape, x, weights, image, channel, scratch, z, &sum, &squares);
      if (sums != nullptr) sums->add(part, channel, sum, squares);
    }
  });
}

/// Buffers of a backward part that must not be mixed between parts.
struct BackwardPart {
  ChannelSums* sums = nullptr;
  float* weight_sums = nullptr;  ///< [channels, K * K]
  int part = 0;
};

template <int K, int S>
void backward_part(const DepthwiseShape& shape, const Input& x, const float* weight,
                   const OutputGradient& z_gradient, float* raw_gradient, const BackwardPart& out,
                   int parts) {
  const simd::Share share = simd::share_of(shape.images, out.part, parts);
  simd::for_channel_blocks(shape.channels, [&]<class V>(int channel) {
    PaddedImage<V> input(shape.height, shape.width, K / 2);
    PaddedImage<V> gradient((shape.out_height() - 1) * S + 1, (shape.out_width() - 1) * S + 1,
                            K / 2);
    V flipped[K * K];
    read_weights<K>(weight, channel, true, flipped);
    V weight_sums[K * K]{};
    for (std::int64_t image = share.begin; image < share.end; ++image) {
      read_gradient<S>(shape, z_gradient, image, channel, gradient);
      read_input(x, image * shape.height * shape.width * shape.channels, shape, channel, input);
      add_weight_gradient<K, S>(shape, input, gradient, weight_sums);
      if (raw_gradient == nullptr) continue;
      V scale_sum{};
      V shift_sum{};
      simd::with_act(x.act, [&]<space::Act A>() {
        write_input_gradient<K, S, A>(shape, x, flipped, image, channel, gradient, raw_gradient,
                                      &scale_sum, &shift_sum);
      });
      if (!x.plain()) out.sums->add(out.part, channel, scale_sum, shift_sum);
    }
    for (int lane = 0; lane < simd::kLanes<V>; ++lane) {
      float* to = out.weight_sums + static_cast<std::ptrdiff_t>(channel + lane) * K * K;
      for (int i = 0; i < K * K; ++i) to[i] = weight_sums[i][lane];
    }
  });
}

}  // namespace

void depthwise_forward(const DepthwiseShape& shape, const Input& x, const float* weight, float* z,
                       const Statistics& statistics, int threads) {
  const bool with_sums = statistics.mean != nullptr;
  ChannelSums sums(threads, with_sums ? shape.channels : 0);
  with_geometry(shape, [&]<int K, int S>() {
    simd::parallel_parts(threads, [&](int part) {
      forward_part<K, S>(shape, x, weight, z, with_sums ? &sums : nullptr, part, threads);
    });
  });
  if (with_sums) {
    const double count =
        static_cast<double>(shape.images * shape.out_height() * shape.out_width());
    sums.statistics(count, shape.channels, statistics.mean, statistics.variance);
  }
}

void depthwise_backward(const DepthwiseShape& shape, const Input& x, const float* weight,
                        const OutputGradient& z_gradient, const InputGradient& x_gradient,
                        float* weight_gradient, int threads) {
  ChannelSums sums(threads, x.plain() ? 0 : shape.channels);
  const auto weight_size = static_cast<std::size_t>(shape.channels) *
                           static_cast<std::size_t>(shape.kernel_size * shape.kernel_size);
  std::vector<float> partial(weight_size * static_cast<std::size_t>(threads));
  with_geometry(shape, [&]<int K, int S>() {
    simd::parallel_parts(threads, [&](int part) {
      const BackwardPart out{&sums, partial.data() + weight_size * static_cast<std::size_t>(part),
                             part};
      backward_part<K, S>(shape, x, weight, z_gradient, x_gradient.raw, out, threads);
    });
  });
  if (weight_gradient != nullptr) {
    for (std::size_t i = 0; i < weight_size; ++i) {
      float sum = 0.0F;
      for (int part = 0; part < threads; ++part) {
        sum += partial[weight_size * static_cast<std::size_t>(part) + i];
      }
      weight_gradient[i] = sum;
    }
  }
  if (x_gradient.raw != nullptr && !x.plain()) {
    sums.write(shape.channels, x_gradient.scale, x_gradient.shift);
  }
}

}  // namespace omnifit::supernet::ops::kernels
