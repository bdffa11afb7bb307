#include "supernet/data/resample.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace omnifit::supernet {
namespace {

/// Bits after the point of a filter weight: 8 bits of pixel, 22 of weight and two to spare for the
/// sum fit into 32.
constexpr int kWeightBits = 22;

/// Which source pixels make up one output pixel, and how much of each.
struct Taps {
  int first = 0;
  std::vector<std::int32_t> weights;
};

double triangle(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

/// Taps of the output pixels [from, from + count) of a line that goes from `source_px` to
/// `target_px` pixels.
std::vector<Taps> filter_taps(int source_px, int target_px, int from, int count) {
  const double scale = static_cast<double>(source_px) / target_px;
  const double stretch = std::max(scale, 1.0);  // the filter covers a source pixel at least
  std::vector<Taps> taps(static_cast<std::size_t>(count));
  std::vector<double> weights;
  for (int i = 0; i < count; ++i) {
    const double centre = (from + i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - stretch + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + stretch + 0.5), source_px);
    weights.clear();
    double sum = 0.0;
    for (int x = first; x < end; ++x) {
      weights.push_back(triangle((x - centre + 0.5) * (1.0 / stretch)));
      sum += weights.back();
    }
    Taps& out = taps[static_cast<std::size_t>(i)];
    out.first = first;
    for (const double weight : weights) {
      out.weights.push_back(static_cast<std::int32_t>(weight / sum * (1 << kWeightBits) + 0.5));
    }
  }
  return taps;
}

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

/// One row, scaled along x.
void scale_row(const std::uint8_t* source, const std::vector<Taps>& taps, std::uint8_t* out) {
  for (const Taps& tap : taps) {
    const std::uint8_t* pixel = source + static_cast<std::size_t>(tap.first) * kRgbChannels;
    std::int32_t red = kHalf;
    std::int32_t green = kHalf;
    std::int32_t blue = kHalf;
    for (const std::int32_t weight : tap.weights) {
      red += pixel[0] * weight;
      green += pixel[1] * weight;
      blue += pixel[2] * weight;
      pixel += kRgbChannels;
    }
    *out++ = rounded(red);
    *out++ = rounded(green);
    *out++ = rounded(blue);
  }
}

/// Output row y from rows that are scaled along x already; `rows` begins with source row
/// `first_row`.
void mix_rows(const std::uint8_t* rows, int first_row, std::size_t row_bytes, const Taps& tap,
              std::vector<std::int32_t>& sums, std::uint8_t* out) {
  std::fill(sums.begin(), sums.end(), kHalf);
  const std::uint8_t* row = rows + static_cast<std::size_t>(tap.first - first_row) * row_bytes;
  for (const std::int32_t weight : tap.weights) {
    for (std::size_t i = 0; i < row_bytes; ++i) sums[i] += row[i] * weight;
    row += row_bytes;
  }
  for (std::size_t i = 0; i < row_bytes; ++i) out[i] = rounded(sums[i]);
}

void copy_part(const PictureView& source, const PixelRect& part, std::uint8_t* rgb) {
  const PictureView from = source.cut(part);
  const std::size_t row_bytes = static_cast<std::size_t>(part.width_px) * kRgbChannels;
  for (int y = 0; y < part.height_px; ++y, rgb += row_bytes) {
    std::memcpy(rgb, from.pixels + static_cast<std::size_t>(y) * from.row_bytes, row_bytes);
  }
}

bool inside(const PixelRect& rect, PictureSize size) {
  return rect.left_px >= 0 && rect.top_px >= 0 && rect.width_px > 0 && rect.height_px > 0 &&
         rect.left_px <= size.width_px - rect.width_px &&
         rect.top_px <= size.height_px - rect.height_px;
}

}  // namespace

PictureView PictureView::cut(const PixelRect& rect) const {
  OMNIFIT_CHECK(inside(rect, size), "a {}x{} part at {},{} of a {}x{} picture", rect.height_px,
                rect.width_px, rect.top_px, rect.left_px, size.height_px, size.width_px);
  return {pixels + static_cast<std::size_t>(rect.top_px) * row_bytes +
              static_cast<std::size_t>(rect.left_px) * kRgbChannels,
          {rect.height_px, rect.width_px},
          row_bytes};
}

PictureView view(const Picture& picture) {
  return {picture.pixels.data(), picture.size,
          static_cast<std::size_t>(picture.size.width_px) * kRgbChannels};
}

PictureSize resized_size(PictureSize size, int shorter_px) {
  const auto longer = [&](int long_px, int short_px) {
    return static_cast<int>(std::int64_t{shorter_px} * long_px / short_px);
  };
  if (size.height_px <= size.width_px) return {shorter_px, longer(size.width_px, size.height_px)};
  return {longer(size.height_px, size.width_px), shorter_px};
}

PixelRect centre_square(PictureSize size, int side_px) {
  const auto corner = [side_px](int px) {
    const int spare = px - side_px;
    const int half = spare / 2;
    return half + (spare % 2 != 0 && half % 2 != 0 ? 1 : 0);
  };
  return {corner(size.width_px), corner(size.height_px), side_px, side_px};
}

void resample(const PictureView& source, PictureSize size, const PixelRect& part,
              std::uint8_t* rgb) {
  OMNIFIT_CHECK(inside(part, size), "a {}x{} part at {},{} of a {}x{} picture", part.height_px,
                part.width_px, part.top_px, part.left_px, size.height_px, size.width_px);
  if (size == source.size) {
    copy_part(source, part, rgb);
    return;
  }
  const std::vector<Taps> across =
      filter_taps(source.size.width_px, size.width_px, part.left_px, part.width_px);
  const std::vector<Taps> down =
      filter_taps(source.size.height_px, size.height_px, part.top_px, part.height_px);
  const int first_row = down.front().first;
  const int end_row = down.back().first + static_cast<int>(down.back().weights.size());
  const std::size_t row_bytes = static_cast<std::size_t>(part.width_px) * kRgbChannels;
  std::vector<std::uint8_t> rows(static_cast<std::size_t>(end_row - first_row) * row_bytes);
  for (int y = first_row; y < end_row; ++y) {
    scale_row(source.pixels + static_cast<std::size_t>(y) * source.row_bytes, across,
              rows.data() + static_cast<std::size_t>(y - first_row) * row_bytes);
  }
  std::vector<std::int32_t> sums(row_bytes);
  for (const Taps& tap : down) {
    mix_rows(rows.data(), first_row, row_bytes, tap, sums, rgb);
    rgb += row_bytes;
  }
}

}  // namespace omnifit::supernet
