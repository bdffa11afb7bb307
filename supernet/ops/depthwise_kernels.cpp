#include "supernet/ops/kernel_sums.hpp"
#include "supernet/ops/kernels.hpp"
#include "supernet/ops/simd.hpp"
#include "supernet/ops/worker_pool.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace omnifit::supernet::ops::kernels {
namespace {

using simd::load;
using simd::store;

/// Output pixels of a row that are summed in registers at once.
constexpr int kTile = 4;

/// One image's block of channels with zero columns on both sides, a vector per pixel. Rows have no
/// such border: rows outside the image are left out of the sums instead, which on small maps is
/// most of them.
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

/// Rows [begin, end) of a kernel of size K that lie inside an image when its first row falls on
/// `top`.
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
                           const float* weights, V* sums) {
  V total[kTile]{};
  for (int ky = kernel_rows.begin; ky < kernel_rows.end; ++ky) {
    const V* from = image.row(top + ky) + x;
    const float* w = weights + ky * K * simd::kLanes<V>;
    V window[(kTile - 1) * S + K];
#pragma GCC unroll 16
    for (int i = 0; i < (kTile - 1) * S + K; ++i) window[i] = from[i];
#pragma GCC unroll 8
    for (int kx = 0; kx < K; ++kx) {
      const V weight = load<V>(w + kx * simd::kLanes<V>);
#pragma GCC unroll 8
      for (int t = 0; t < kTile; ++t) total[t] += window[t * S + kx] * weight;
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

/// Kernels of all channels, a vector of channels per tap: block `channel` starts at channel * K *
/// K. `flipped` turns them by 180 degrees.
template <int K>
simd::AlignedFloats pack_weights(const float* weight, int channels, bool flipped) {
  simd::AlignedFloats packed(static_cast<std::size_t>(channels) * K * K);
  simd::for_channel_blocks(channels, [&]<class V>(int channel) {
    float* to = packed.data() + static_cast<std::ptrdiff_t>(channel) * K * K;
    for (int i = 0; i < K * K; ++i) {
      for (int lane = 0; lane < simd::kLanes<V>; ++lane) {
        const int tap = flipped ? K * K - 1 - i : i;
        to[i * simd::kLanes<V> + lane] =
            weight[static_cast<std::ptrdiff_t>(channel + lane) * K * K + tap];
      }
    }
  });
  return packed;
}

template <int K, int S, class V>
void forward_block(const DepthwiseShape& shape, const Input& x, const float* weights,
                   std::int64_t image, int channel, PaddedImage<V>& scratch, float* z, V* sum,
                   V* squares) {
  const std::int64_t pixels = std::int64_t{shape.height} * shape.width;
  read_input(x, image * pixels * shape.channels, shape, channel, scratch);
  const int out_height = shape.out_height();
  const int out_width = shape.out_width();
  float* to = z + image * out_height * out_width * shape.channels + channel;
  V total{};
  V total_squares{};
  for (int y = 0; y < out_height; ++y) {
    const int top = y * S - K / 2;
    const KernelRows kernel_rows = rows_inside<K>(top, shape.height);
    for (int x0 = 0; x0 < out_width; x0 += kTile) {
      V tile[kTile];
      correlate_tile<K, S>(scratch, top, kernel_rows, x0 * S, weights, tile);
      const int valid = std::min(kTile, out_width - x0);
      for (int t = 0; t < valid; ++t, to += shape.channels) {
        store(to, tile[t]);
        total += tile[t];
        total_squares += tile[t] * tile[t];
      }
    }
  }
  *sum += total;
  *squares += total_squares;
}

/// Reads the output's whole gradient.
template <class V>
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
    V* to = scratch.interior(y);
    for (int x = 0; x < out_width; ++x, at += shape.channels) {
      V value = gradient.direct != nullptr ? load<V>(gradient.direct + at) : V{};
      if (gradient.constant != nullptr) value += constant + slope * load<V>(gradient.z + at);
      to[x] = value;
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
      const V* g = gradient.interior(y);
      for (int x0 = 0; x0 < out_width; x0 += kTile) {
        V window[(kTile - 1) * S + K];
#pragma GCC unroll 16
        for (int i = 0; i < (kTile - 1) * S + K; ++i) window[i] = from[x0 * S + i];
#pragma GCC unroll 8
        for (int t = 0; t < kTile; ++t) {
          const V of_pixel = g[x0 + t];  // zero beyond the last pixel
#pragma GCC unroll 8
          for (int kx = 0; kx < K; ++kx) sums[kx] += of_pixel * window[t * S + kx];
        }
      }
    }
    for (int kx = 0; kx < K; ++kx) weight_sums[ky * K + kx] += sums[kx];
  }
}

/// Writes gradients of the raw input, pixel by pixel, and sums those of its map.
template <space::Act A, class V>
class InputGradientWriter {
 public:
  InputGradientWriter(const Input& x, int channel, float* raw_gradient)
      : x_(x),
        raw_gradient_(raw_gradient),
        scale_(x.plain() ? V{} : load<V>(x.scale + channel)),
        shift_(x.plain() ? V{} : load<V>(x.shift + channel)) {}

  void write(std::int64_t at, V gradient) {
    if (x_.plain()) {
      store(raw_gradient_ + at, gradient);
      return;
    }
    const V raw = load<V>(x_.raw + at);
    const V value = simd::through_activation<A>(gradient, raw * scale_ + shift_);
    store(raw_gradient_ + at, value * scale_);
    shift_sum += value;
    scale_sum += value * raw;
  }

  V scale_sum{};
  V shift_sum{};

 private:
  const Input& x_;
  float* raw_gradient_;
  V scale_;
  V shift_;
};

/// Input columns of one parity (x % S == Phase): the taps of the turned kernel that meet an output
/// pixel there are every S-th from kFirstTap on, so with stride 2 no product with the zeros between
/// output pixels is formed.
template <int K, int S, int Phase, class V, class Writer>
void back_columns(PaddedImage<V>& gradient, const DepthwiseShape& shape, int y,
                  const float* flipped, std::int64_t at, Writer& writer) {
  constexpr int kLanes = simd::kLanes<V>;
  constexpr int kFirstTap = ((K / 2 - Phase) % S + S) % S;
  constexpr int kTaps = (K - kFirstTap + S - 1) / S;
  // Output column that the first tap of input column Phase meets.
  constexpr int kStart = (Phase - K / 2 + kFirstTap) / S;
  const int columns = (shape.width - Phase + S - 1) / S;
  for (int j = 0; j < columns; j += kTile) {
    V total[kTile]{};
    for (int ky = 0; ky < K; ++ky) {
      const int row = y - K / 2 + ky;
      if (row < 0 || row % S != 0 || row / S >= shape.out_height()) continue;
      const V* from = gradient.interior(row / S) + j + kStart;
      const float* w = flipped + (ky * K + kFirstTap) * kLanes;
      V window[kTile + kTaps - 1];
#pragma GCC unroll 16
      for (int i = 0; i < kTile + kTaps - 1; ++i) window[i] = from[i];
#pragma GCC unroll 8
      for (int tap = 0; tap < kTaps; ++tap) {
        const V weight = load<V>(w + tap * S * kLanes);
#pragma GCC unroll 8
        for (int t = 0; t < kTile; ++t) total[t] += window[t + tap] * weight;
      }
    }
    const int valid = std::min(kTile, columns - j);
    for (int t = 0; t < valid; ++t) {
      writer.write(at + static_cast<std::int64_t>((j + t) * S + Phase) * shape.channels, total[t]);
    }
  }
}

/// Correlates the output's gradient with the turned kernel and writes the gradient of the raw
/// input.
template <int K, int S, space::Act A, class V>
void write_input_gradient(const DepthwiseShape& shape, const Input& x, const float* flipped,
                          std::int64_t image, int channel, PaddedImage<V>& gradient,
                          float* raw_gradient, V* scale_sum, V* shift_sum) {
  InputGradientWriter<A, V> writer(x, channel, raw_gradient);
  const std::int64_t row_size = std::int64_t{shape.width} * shape.channels;
  std::int64_t at = image * shape.height * row_size + channel;
  for (int y = 0; y < shape.height; ++y, at += row_size) {
    back_columns<K, S, 0>(gradient, shape, y, flipped, at, writer);
    if constexpr (S == 2) back_columns<K, S, 1>(gradient, shape, y, flipped, at, writer);
  }
  *scale_sum += writer.scale_sum;
  *shift_sum += writer.shift_sum;
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

/// Calls `body(begin, end)` for groups of a part's images that together fit the second-level cache,
/// so that the blocks of channels, which share cache lines' neighbours, find their images there.
template <class Body>
void for_image_groups(const DepthwiseShape& shape, int part, int parts, Body&& body) {
  constexpr std::int64_t kGroupFloats = 1 << 16;
  const simd::Share share = simd::share_of(shape.images, part, parts);
  const std::int64_t of_image = std::int64_t{shape.height} * shape.width * shape.channels;
  const std::int64_t group = std::clamp<std::int64_t>(kGroupFloats / of_image, 1, 16);
  for (std::int64_t begin = share.begin; begin < share.end; begin += group) {
    body(begin, std::min(begin + group, share.end));
  }
}

/// Scratch images of both vector widths.
struct Scratch {
  PaddedImage<simd::F16> wide;
  PaddedImage<simd::F8> narrow;

  Scratch(int height, int width, int padding)
      : wide(height, width, padding), narrow(height, width, padding) {}

  template <class V>
  PaddedImage<V>& of() {
    if constexpr (simd::kLanes<V> == 16) {
      return wide;
    } else {
      return narrow;
    }
  }
};

template <int K, int S>
void forward_part(const DepthwiseShape& shape, const Input& x, const float* packed, float* z,
                  ChannelSums* sums, int part, int parts) {
  Scratch scratch(shape.height, shape.width, K / 2);
  for_image_groups(shape, part, parts, [&](std::int64_t begin, std::int64_t end) {
    simd::for_channel_blocks(shape.channels, [&]<class V>(int channel) {
      const float* weights = packed + static_cast<std::ptrdiff_t>(channel) * K * K;
      V sum{};
      V squares{};
      for (std::int64_t image = begin; image < end; ++image) {
        forward_block<K, S>(shape, x, weights, image, channel, scratch.of<V>(), z, &sum, &squares);
      }
      if (sums != nullptr) sums->add(part, channel, sum, squares);
    });
  });
}

/// Buffers of a backward part that must not be mixed between parts.
struct BackwardPart {
  ChannelSums* sums = nullptr;
  float* weight_sums = nullptr;  ///< packed like the weights, zero at first
  int part = 0;
};

template <int K, int S>
void backward_part(const DepthwiseShape& shape, const Input& x, const float* flipped,
                   const OutputGradient& z_gradient, float* raw_gradient, const BackwardPart& out,
                   int parts) {
  Scratch inputs(shape.height, shape.width, K / 2);
  Scratch gradients(shape.out_height(), shape.out_width(), K / 2);
  const std::int64_t of_image = std::int64_t{shape.height} * shape.width * shape.channels;
  for_image_groups(shape, out.part, parts, [&](std::int64_t begin, std::int64_t end) {
    simd::for_channel_blocks(shape.channels, [&]<class V>(int channel) {
      const std::ptrdiff_t block = static_cast<std::ptrdiff_t>(channel) * K * K;
      PaddedImage<V>& input = inputs.of<V>();
      PaddedImage<V>& gradient = gradients.of<V>();
      V weight_sums[K * K]{};
      V scale_sum{};
      V shift_sum{};
      for (std::int64_t image = begin; image < end; ++image) {
        read_gradient(shape, z_gradient, image, channel, gradient);
        read_input(x, image * of_image, shape, channel, input);
        add_weight_gradient<K, S>(shape, input, gradient, weight_sums);
        if (raw_gradient == nullptr) continue;
        simd::with_act(x.act, [&]<space::Act A>() {
          write_input_gradient<K, S, A>(shape, x, flipped + block, image, channel, gradient,
                                        raw_gradient, &scale_sum, &shift_sum);
        });
      }
      if (!x.plain()) out.sums->add(out.part, channel, scale_sum, shift_sum);
      for (int i = 0; i < K * K; ++i) {
        float* to = out.weight_sums + block + i * simd::kLanes<V>;
        store(to, load<V>(to) + weight_sums[i]);
      }
    });
  });
}

/// Adds the parts' packed weight gradients and puts them into the weight's own order.
template <int K>
void unpack_weight_gradient(const std::vector<float>& partial, int channels, int parts,
                            float* weight_gradient) {
  const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(channels) * K * K;
  simd::for_channel_blocks(channels, [&]<class V>(int channel) {
    const float* from = partial.data() + static_cast<std::ptrdiff_t>(channel) * K * K;
    for (int i = 0; i < K * K; ++i) {
      V sum{};
      for (int part = 0; part < parts; ++part) {
        sum += load<V>(from + part * size + i * simd::kLanes<V>);
      }
      for (int lane = 0; lane < simd::kLanes<V>; ++lane) {
        weight_gradient[static_cast<std::ptrdiff_t>(channel + lane) * K * K + i] = sum[lane];
      }
    }
  });
}

}  // namespace

void depthwise_forward(const DepthwiseShape& shape, const Input& x, const float* weight, float* z,
                       const Statistics& statistics, int parts) {
  const bool with_sums = statistics.mean != nullptr;
  ChannelSums sums(parts, with_sums ? shape.channels : 0);
  with_geometry(shape, [&]<int K, int S>() {
    const simd::AlignedFloats packed = pack_weights<K>(weight, shape.channels, false);
    parallel_parts(parts, [&](int part) {
      forward_part<K, S>(shape, x, packed.data(), z, with_sums ? &sums : nullptr, part, parts);
    });
  });
  if (with_sums) {
    const double count = static_cast<double>(shape.images * shape.out_height() * shape.out_width());
    sums.statistics(count, shape.channels, statistics.mean, statistics.variance);
  }
}

void depthwise_backward(const DepthwiseShape& shape, const Input& x, const float* weight,
                        const OutputGradient& z_gradient, const InputGradient& x_gradient,
                        float* weight_gradient, int parts) {
  ChannelSums sums(parts, x.plain() ? 0 : shape.channels);
  const auto weight_size = static_cast<std::size_t>(shape.channels) *
                           static_cast<std::size_t>(shape.kernel_size * shape.kernel_size);
  std::vector<float> partial(weight_size * static_cast<std::size_t>(parts));
  with_geometry(shape, [&]<int K, int S>() {
    const simd::AlignedFloats flipped = pack_weights<K>(weight, shape.channels, true);
    parallel_parts(parts, [&](int part) {
      const BackwardPart out{&sums, partial.data() + weight_size * static_cast<std::size_t>(part),
                             part};
      backward_part<K, S>(shape, x, flipped.data(), z_gradient, x_gradient.raw, out, parts);
    });
    if (weight_gradient != nullptr) {
      unpack_weight_gradient<K>(partial, shape.channels, parts, weight_gradient);
    }
  });
  if (x_gradient.raw != nullptr && !x.plain()) {
    sums.write(shape.channels, x_gradient.scale, x_gradient.shift);
  }
}

}  // namespace omnifit::supernet::ops::kernels
