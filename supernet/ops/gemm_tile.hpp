#pragma once

#include "supernet/ops/simd.hpp"

#include <algorithm>
#include <cstdint>

namespace omnifit::supernet::ops::kernels {

/// Left factor of a small matrix product: element (i, k) is at data[i * row_stride + k *
/// depth_stride].
struct LeftFactor {
  const float* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t depth_stride = 1;
};

namespace detail {

/// One register tile: Rows × (Blocks * 16) sums over `depth`.
template <int Rows, int Blocks, bool Accumulate>
inline void register_tile(const LeftFactor& a, int depth, const float* b, std::int64_t b_stride,
                          float* c, std::int64_t c_stride) {
  using simd::F16;
  F16 sums[Rows][Blocks];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      sums[i][j] = Accumulate ? simd::load<F16>(c + i * c_stride + j * 16) : F16{};
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
    for (int j = 0; j < Blocks; ++j) simd::store(c + i * c_stride + j * 16, sums[i][j]);
  }
}

template <int Blocks, bool Accumulate>
inline void column_panel(LeftFactor a, int rows, int depth, const float* b, std::int64_t b_stride,
                         float* c, std::int64_t c_stride) {
  constexpr int kRows = Blocks <= 2 ? 8 : 6;
  int row = 0;
  for (; row + kRows <= rows; row += kRows) {
    register_tile<kRows, Blocks, Accumulate>(a, depth, b, b_stride, c, c_stride);
    a.data += kRows * a.row_stride;
    c += kRows * c_stride;
  }
  for (; row + 2 <= rows; row += 2) {
    register_tile<2, Blocks, Accumulate>(a, depth, b, b_stride, c, c_stride);
    a.data += 2 * a.row_stride;
    c += 2 * c_stride;
  }
  if (row < rows) register_tile<1, Blocks, Accumulate>(a, depth, b, b_stride, c, c_stride);
}

}  // namespace detail

/// c [rows, 16 * blocks] = a [rows, depth] * b [depth, 16 * blocks], or added to c. For factors
/// that fit the cache.
template <bool Accumulate>
inline void gemm_tile(const LeftFactor& a, int rows, int depth, const float* b,
                      std::int64_t b_stride, int blocks, float* c, std::int64_t c_stride) {
  int panels = (blocks + 3) / 4;
  while (blocks > 0) {
    const int width = (blocks + panels - 1) / panels;
    switch (width) {
      case 1:
        detail::column_panel<1, Accumulate>(a, rows, depth, b, b_stride, c, c_stride);
        break;
      case 2:
        detail::column_panel<2, Accumulate>(a, rows, depth, b, b_stride, c, c_stride);
        break;
      case 3:
        detail::column_panel<3, Accumulate>(a, rows, depth, b, b_stride, c, c_stride);
        break;
      default:
        detail::column_panel<4, Accumulate>(a, rows, depth, b, b_stride, c, c_stride);
        break;
    }
    b += width * 16;
    c += width * 16;
    blocks -= width;
    --panels;
  }
}

}  // namespace omnifit::supernet::ops::kernels
