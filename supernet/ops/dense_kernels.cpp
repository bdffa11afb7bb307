#include "supernet/ops/gemm_tile.hpp"
#include "supernet/ops/kernel_sums.hpp"
#include "supernet/ops/kernels.hpp"
#include "supernet/ops/simd.hpp"
#include "supernet/ops/worker_pool.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace omnifit::supernet::ops::kernels {
namespace {

using simd::F16;
using simd::load;
using simd::round_up;
using simd::store;

int depth_of(const DenseShape& shape) {
  return shape.in_channels * shape.kernel_size * shape.kernel_size;
}

/// Rows worked on at once: input and output tiles together stay well inside the second-level cache.
int tile_rows(int in_width, int out_width) {
  const int rows = 12288 / (in_width + out_width);
  return std::clamp(rows / 24 * 24, 24, 192);
}

/// Index of the weight's column `column` in the order in which patches are gathered: (ky, kx,
/// channel).
int patch_column(const DenseShape& shape, int column) {
  if (shape.kernel_size == 1) return column;
  const int window = shape.kernel_size * shape.kernel_size;
  return column % window * shape.in_channels + column / window;
}

/// Fills rows [first, first + rows) of the input matrix into a tile; columns beyond the depth stay
/// as they are.
class TileReader {
 public:
  TileReader(const DenseShape& shape, const Input& x) : shape_(shape), x_(x) {}

  void read(std::int64_t first, int rows, float* tile, int tile_width) const {
    if (shape_.kernel_size > 1 || shape_.stride > 1) {
      gather(first, rows, tile, tile_width);
      return;
    }
    const int channels = shape_.in_channels;
    const float* raw = x_.raw + first * channels;
    if (x_.plain()) {
      for (int row = 0; row < rows; ++row) {
        std::memcpy(tile + row * tile_width, raw + row * channels,
                    static_cast<std::size_t>(channels) * sizeof(float));
      }
      return;
    }
    simd::with_act(x_.act, [&]<space::Act A>() {
      for (int row = 0; row < rows; ++row) {
        const float* from = raw + row * channels;
        float* to = tile + row * tile_width;
        simd::for_channel_blocks(channels, [&]<class V>(int c) {
          const V u = load<V>(from + c) * load<V>(x_.scale + c) + load<V>(x_.shift + c);
          store(to + c, simd::activation<A>(u));
        });
      }
    });
  }

 private:
  /// Patches of plain images, zero outside them.
  void gather(std::int64_t first, int rows, float* tile, int tile_width) const {
    const int padding = shape_.kernel_size / 2;
    const int channels = shape_.in_channels;
    const int out_height = (shape_.in_height - 1) / shape_.stride + 1;
    const int out_width = (shape_.in_width - 1) / shape_.stride + 1;
    for (int row = 0; row < rows; ++row) {
      const std::int64_t pixel = first + row;
      const std::int64_t image = pixel / (out_height * out_width);
      const int y = static_cast<int>(pixel / out_width % out_height) * shape_.stride - padding;
      const int x = static_cast<int>(pixel % out_width) * shape_.stride - padding;
      const float* source = x_.raw + image * shape_.in_height * shape_.in_width * channels;
      float* to = tile + row * tile_width;
      for (int ky = 0; ky < shape_.kernel_size; ++ky) {
        for (int kx = 0; kx < shape_.kernel_size; ++kx, to += channels) {
          const int iy = y + ky;
          const int ix = x + kx;
          const bool inside = iy >= 0 && iy < shape_.in_height && ix >= 0 && ix < shape_.in_width;
          const float* from = source + (iy * shape_.in_width + ix) * channels;
          for (int c = 0; c < channels; ++c) to[c] = inside ? from[c] : 0.0F;
        }
      }
    }
  }

  const DenseShape& shape_;
  const Input& x_;
};

/// Weights as the right factor of a product, [depth, out_width]: rows of outputs in the order of
/// patches, zero beyond the last channel.
simd::AlignedFloats pack_right(const DenseShape& shape, const float* weight, int depth,
                               int out_width) {
  simd::AlignedFloats packed(static_cast<std::size_t>(depth) * static_cast<std::size_t>(out_width));
  simd::for_channel_blocks(shape.out_channels, [&]<class V>(int o) {
    const float* from = weight + static_cast<std::ptrdiff_t>(o) * depth;
    for (int i = 0; i < depth; ++i, ++from) {
      V outputs;
      for (int lane = 0; lane < simd::kLanes<V>; ++lane) outputs[lane] = from[lane * depth];
      store(packed.data() + static_cast<std::ptrdiff_t>(patch_column(shape, i)) * out_width + o,
            outputs);
    }
  });
  return packed;
}

/// Adds values and squares of packed rows.
void sum_outputs(const float* z, int rows, int channels, ChannelSums& sums, int part) {
  simd::for_channel_blocks(channels, [&]<class V>(int c) {
    V sum{};
    V squares{};
    const float* from = z + c;
    for (int row = 0; row < rows; ++row, from += channels) {
      const V value = load<V>(from);
      sum += value;
      squares += value * value;
    }
    sums.add(part, c, sum, squares);
  });
}

/// The output's whole gradient for a tile of rows.
void read_gradient(const OutputGradient& gradient, std::int64_t first, int rows, int channels,
                   float* tile, int tile_width) {
  const std::int64_t offset = first * channels;
  for (int row = 0; row < rows; ++row) {
    const std::int64_t at = offset + static_cast<std::int64_t>(row) * channels;
    float* to = tile + row * tile_width;
    simd::for_channel_blocks(channels, [&]<class V>(int c) {
      V value = gradient.direct != nullptr ? load<V>(gradient.direct + at + c) : V{};
      if (gradient.constant != nullptr) {
        value += load<V>(gradient.constant + c) +
                 load<V>(gradient.slope + c) * load<V>(gradient.z + at + c);
      }
      store(to + c, value);
    });
  }
}

/// Turns the gradient of the values that were read (`tile`) into that of the raw ones.
template <space::Act A>
void write_lazy_gradient(const Input& x, std::int64_t first, int rows, int channels,
                         const float* tile, int tile_width, float* raw_gradient, ChannelSums& sums,
                         int part) {
  const std::int64_t offset = first * channels;
  simd::for_channel_blocks(channels, [&]<class V>(int c) {
    const V scale = load<V>(x.scale + c);
    const V shift = load<V>(x.shift + c);
    V scale_sum{};
    V shift_sum{};
    for (int row = 0; row < rows; ++row) {
      const std::int64_t at = offset + static_cast<std::int64_t>(row) * channels + c;
      const V raw = load<V>(x.raw + at);
      const V gradient =
          simd::through_activation<A>(load<V>(tile + row * tile_width + c), raw * scale + shift);
      store(raw_gradient + at, gradient * scale);
      shift_sum += gradient;
      scale_sum += gradient * raw;
    }
    sums.add(part, c, scale_sum, shift_sum);
  });
}

void write_input_gradient(const Input& x, std::int64_t first, int rows, int channels,
                          const float* tile, int tile_width, float* raw_gradient, ChannelSums& sums,
                          int part) {
  if (x.plain()) {
    for (int row = 0; row < rows; ++row) {
      std::memcpy(raw_gradient + (first + row) * channels, tile + row * tile_width,
                  static_cast<std::size_t>(channels) * sizeof(float));
    }
    return;
  }
  simd::with_act(x.act, [&]<space::Act A>() {
    write_lazy_gradient<A>(x, first, rows, channels, tile, tile_width, raw_gradient, sums, part);
  });
}

}  // namespace

void dense_forward(const DenseShape& shape, const Input& x, const float* weight, float* z,
                   const Statistics& statistics, int parts) {
  const int depth = depth_of(shape);
  const int out_width = round_up(shape.out_channels, 16);
  const simd::AlignedFloats packed = pack_right(shape, weight, depth, out_width);
  const bool with_sums = statistics.mean != nullptr;
  ChannelSums sums(parts, with_sums ? shape.out_channels : 0);
  const int step = tile_rows(depth, out_width);
  const TileReader reader(shape, x);
  const bool direct = x.plain() && shape.kernel_size == 1 && shape.stride == 1;
  parallel_parts(parts, [&](int part) {
    const simd::Share share = simd::share_of(shape.rows, part, parts);
    simd::AlignedFloats in_tile(direct ? 0 : static_cast<std::size_t>(step * depth));
    for (std::int64_t first = share.begin; first < share.end; first += step) {
      const int rows = static_cast<int>(std::min<std::int64_t>(step, share.end - first));
      LeftFactor left{x.raw + first * depth, depth, 1};
      if (!direct) {
        reader.read(first, rows, in_tile.data(), depth);
        left.data = in_tile.data();
      }
      float* to = z + first * shape.out_channels;
      gemm_tile<false>(left, rows, depth, packed.data(), out_width, shape.out_channels, to,
                       shape.out_channels);
      if (with_sums) sum_outputs(to, rows, shape.out_channels, sums, part);
    }
  });
  if (with_sums) {
    sums.statistics(static_cast<double>(shape.rows), shape.out_channels, statistics.mean,
                    statistics.variance);
  }
}

void dense_backward(const DenseShape& shape, const Input& x, const float* weight,
                    const OutputGradient& z_gradient, const InputGradient& x_gradient,
                    float* weight_gradient, int parts) {
  const int depth = depth_of(shape);
  const int in_width = round_up(depth, 16);
  const int out = shape.out_channels;
  // [out, in_width]: the weight's own order, zero beyond the last input channel.
  simd::AlignedFloats packed(static_cast<std::size_t>(out) * static_cast<std::size_t>(in_width));
  for (int o = 0; o < out; ++o) {
    for (int i = 0; i < depth; ++i) {
      packed[static_cast<std::size_t>(o * in_width + patch_column(shape, i))] =
          weight[o * depth + i];
    }
  }
  ChannelSums sums(parts, x.plain() ? 0 : shape.in_channels);
  const std::size_t weight_size =
      static_cast<std::size_t>(out) * static_cast<std::size_t>(in_width);
  simd::AlignedFloats partial(
      weight_gradient != nullptr ? weight_size * static_cast<std::size_t>(parts) : 0);
  const int step = tile_rows(2 * in_width, out);
  const TileReader reader(shape, x);
  parallel_parts(parts, [&](int part) {
    const simd::Share share = simd::share_of(shape.rows, part, parts);
    simd::AlignedFloats in_tile(static_cast<std::size_t>(step * in_width));
    simd::AlignedFloats gradient_tile(static_cast<std::size_t>(step * out));
    simd::AlignedFloats back_tile(static_cast<std::size_t>(step * in_width));
    float* of_part =
        partial.data() +
        (weight_gradient == nullptr ? 0 : weight_size * static_cast<std::size_t>(part));
    for (std::int64_t first = share.begin; first < share.end; first += step) {
      const int rows = static_cast<int>(std::min<std::int64_t>(step, share.end - first));
      read_gradient(z_gradient, first, rows, out, gradient_tile.data(), out);
      if (weight_gradient != nullptr) {
        reader.read(first, rows, in_tile.data(), in_width);
        gemm_tile<true>({gradient_tile.data(), 1, out}, out, rows, in_tile.data(), in_width,
                        in_width, of_part, in_width);
      }
      if (x_gradient.raw != nullptr) {
        gemm_tile<false>({gradient_tile.data(), out, 1}, rows, out, packed.data(), in_width,
                         in_width, back_tile.data(), in_width);
        write_input_gradient(x, first, rows, shape.in_channels, back_tile.data(), in_width,
                             x_gradient.raw, sums, part);
      }
    }
  });
  if (weight_gradient != nullptr) {
    for (int o = 0; o < out; ++o) {
      for (int i = 0; i < depth; ++i) {
        float sum = 0.0F;
        for (int part = 0; part < parts; ++part) {
          sum += partial[weight_size * static_cast<std::size_t>(part) +
                         static_cast<std::size_t>(o * in_width + patch_column(shape, i))];
        }
        weight_gradient[o * depth + i] = sum;
      }
    }
  }
  if (x_gradient.raw != nullptr && !x.plain()) {
    sums.write(shape.in_channels, x_gradient.scale, x_gradient.shift);
  }
}

}  // namespace omnifit::supernet::ops::kernels
