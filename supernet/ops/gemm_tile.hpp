#pragma once

#include "supernet/ops/simd.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace omnifit::supernet::ops::kernels {

/// Left factor of a small matrix product: element (i, k) is at data[i * row_stride + k *
/// depth_stride].
struct LeftFactor {
  const float* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t depth_stride = 1;
};

namespace detail {

/// Sixteen floats, or of the last block of a tile that ends in half a block the eight there are.
template <bool Half>
inline simd::F16 load_block(const float* from) {
  simd::F16 block{};
  std::memcpy(&block, from, Half ? sizeof(block) / 2 : sizeof(block));
  return block;
}
template <bool Half>
inline void store_block(float* to, simd::F16 block) {
  std::memcpy(to, &block, Half ? sizeof(block) / 2 : sizeof(block));
}

/// One register tile: Rows × (Blocks * 16) sums over `depth`. With `Half` the last block of c has
/// eight columns; b has sixteen always.
template <int Rows, int Blocks, bool Half, bool Accumulate>
inline void register_tile(const LeftFactor& a, int depth, const float* b, std::int64_t b_stride,
                          float* c, std::int64_t c_stride) {
  using simd::F16;
  F16 sums[Rows][Blocks];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      const float* from = c + i * c_stride + j * 16;
      if constexpr (!Accumulate) {
        sums[i][j] = F16{};
      } else {
        sums[i][j] = Half && j == Blocks - 1 ? load_block<true>(from) : load_block<false>(from);
      }
    }
  }
  for (int k = 0; k < depth; ++k) {
    F16 right[Blocks];
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) right[j] = simd::load<F16>(b + k * b_stride + j * 16);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) {
      const float left = a.data[i * a.row_stride + k * a.depth_stride];
#pragma GCC unroll 4
      for (int j = 0; j < Blocks; ++j) sums[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      float* to = c + i * c_stride + j * 16;
      if (Half && j == Blocks - 1) {
        store_block<true>(to, sums[i][j]);
      } else {
        store_block<false>(to, sums[i][j]);
      }
    }
  }
}

template <int Blocks, bool Half, bool Accumulate>
inline void column_panel(LeftFactor a, int rows, int depth, const float* b, std::int64_t b_stride,
                         float* c, std::int64_t c_stride) {
  constexpr int kRows = Blocks <= 2 ? 8 : 6;
  int row = 0;
  for (; row + kRows <= rows; row += kRows) {
    register_tile<kRows, Blocks, Half, Accumulate>(a, depth, b, b_stride, c, c_stride);
    a.data += kRows * a.row_stride;
    c += kRows * c_stride;
  }
  for (; row + 2 <= rows; row += 2) {
    register_tile<2, Blocks, Half, Accumulate>(a, depth, b, b_stride, c, c_stride);
    a.data += 2 * a.row_stride;
    c += 2 * c_stride;
  }
  if (row < rows) register_tile<1, Blocks, Half, Accumulate>(a, depth, b, b_stride, c, c_stride);
}

template <bool Half, bool Accumulate>
inline void wide_panel(const LeftFactor& a, int rows, int depth, const float* b,
                       std::int64_t b_stride, int blocks, float* c, std::int64_t c_stride) {
  switch (blocks) {
    case 1:
      column_panel<1, Half, Accumulate>(a, rows, depth, b, b_stride, c, c_stride);
      break;
    case 2:
      column_panel<2, Half, Accumulate>(a, rows, depth, b, b_stride, c, c_stride);
      break;
    case 3:
      column_panel<3, Half, Accumulate>(a, rows, depth, b, b_stride, c, c_stride);
      break;
    default:
      column_panel<4, Half, Accumulate>(a, rows, depth, b, b_stride, c, c_stride);
      break;
  }
}

}  // namespace detail

/// c [rows, columns] = a [rows, depth] * b [depth, columns], or added to c. For factors that fit
/// the cache.
/// @pre columns is a multiple of 8; the rows of b go on to the next multiple of 16
template <bool Accumulate>
inline void gemm_tile(const LeftFactor& a, int rows, int depth, const float* b,
                      std::int64_t b_stride, int columns, float* c, std::int64_t c_stride) {
  const bool half = columns % 16 != 0;
  int blocks = (columns + 15) / 16;
  int panels = (blocks + 3) / 4;
  for (; blocks > 0; --panels) {
    const int width = (blocks + panels - 1) / panels;
    if (half && width == blocks) {
      detail::wide_panel<true, Accumulate>(a, rows, depth, b, b_stride, width, c, c_stride);
    } else {
      detail::wide_panel<false, Accumulate>(a, rows, depth, b, b_stride, width, c, c_stride);
    }
    b += width * 16;
    c += width * 16;
    blocks -= width;
  }
}

}  // namespace omnifit::supernet::ops::kernels
