#include "supernet/data/image_batch.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace omnifit::supernet {
namespace {

/// How one image is moved: mirrored first, then shifted right and down.
struct Placement {
  bool mirrored = false;
  int right_px = 0;
  int down_px = 0;
};

core::Rng image_stream(const Augmentation& augmentation, std::int64_t index) {
  return core::Rng::stream(augmentation.seed, core::Purpose::kAugment,
                           {augmentation.epoch, static_cast<std::uint64_t>(index)});
}

Placement draw_placement(const Augmentation& augmentation, core::Rng& rng) {
  const int shift = augmentation.max_shift_px;
  const auto positions = static_cast<std::uint64_t>(2 * shift + 1);
  Placement placement;
  placement.mirrored = rng.bernoulli(0.5) && augmentation.flip;
  placement.right_px = static_cast<int>(rng.below(positions)) - shift;
  placement.down_px = static_cast<int>(rng.below(positions)) - shift;
  return placement;
}

/// Normalises whole rows: the factors are laid out per float of a row, so that the loop has no
/// channel logic and vectorises for any channel count.
class RowNormaliser {
 public:
  explicit RowNormaliser(const Dataset& data) {
    const auto px = static_cast<std::size_t>(data.image_px);
    for (std::size_t x = 0; x < px; ++x) {
      for (std::size_t c = 0; c < static_cast<std::size_t>(data.channels); ++c) {
        scale_.push_back(1.0F / (255.0F * data.deviation[c]));
        black_.push_back(-data.mean[c] / data.deviation[c]);
      }
    }
  }

  void write(const std::uint8_t* pixels, float* out) const {
    for (std::size_t i = 0; i < scale_.size(); ++i) {
      out[i] = static_cast<float>(pixels[i]) * scale_[i] + black_[i];
    }
  }
  void write_black(float* out) const { std::copy(black_.begin(), black_.end(), out); }

 private:
  std::vector<float> scale_;
  std::vector<float> black_;
};

/// Moves a row of pixels sideways; black moves in.
void place_row(const std::uint8_t* source, int px, int channels, const Placement& placement,
               std::uint8_t* row) {
  const int shift = std::clamp(placement.right_px, -px, px);
  const int left = std::max(shift, 0);
  const int width = px - std::abs(shift);
  const int first = std::max(-shift, 0);
  const auto bytes = [channels](int pixels) { return static_cast<std::size_t>(pixels * channels); };
  std::memset(row, 0, bytes(px));
  if (!placement.mirrored) {
    std::memcpy(row + bytes(left), source + bytes(first), bytes(width));
    return;
  }
  for (int x = 0; x < width; ++x) {
    const std::uint8_t* pixel = source + bytes(px - 1 - first - x);
    std::copy(pixel, pixel + channels, row + bytes(left + x));
  }
}

/// Where image `index` of a split lies.
PictureView stored_image(const Dataset& data, const ImageSplit& split, std::int64_t index) {
  const auto at = static_cast<std::size_t>(index);
  const auto channels = static_cast<std::size_t>(data.channels);
  const auto px = static_cast<std::size_t>(data.image_px);
  if (split.stored.empty()) {
    return {split.pixels.data() + at * px * px * channels,
            {data.image_px, data.image_px},
            px * channels};
  }
  const StoredImage& stored = split.stored[at];
  return {split.pixels.data() + stored.offset,
          {stored.height_px, stored.width_px},
          static_cast<std::size_t>(stored.width_px) * channels};
}

/// The square of an image that one batch shows: its first row and the bytes from row to row.
struct Square {
  const std::uint8_t* rows;
  std::size_t row_bytes;
  Placement placement;
};

/// @param scaled room for a square that has to be computed.
Square square_of(const Dataset& data, const PictureView& image, const Augmentation* augmentation,
                 std::int64_t index, std::vector<std::uint8_t>& scaled) {
  Placement placement;
  if (augmentation != nullptr) {
    core::Rng rng = image_stream(*augmentation, index);
    if (data.random_crop) {
      placement.mirrored = rng.bernoulli(0.5) && augmentation->flip;
      const PixelRect part = draw_random_crop(*data.random_crop, image.size, rng);
      const PictureSize size{data.image_px, data.image_px};
      resample(image.cut(part), size, {0, 0, data.image_px, data.image_px}, scaled.data());
      return {scaled.data(), static_cast<std::size_t>(data.image_px * data.channels), placement};
    }
    placement = draw_placement(*augmentation, rng);
  }
  if (image.size == PictureSize{data.image_px, data.image_px}) {
    return {image.pixels, image.row_bytes, placement};
  }
  const PictureView centre = image.cut(centre_square(image.size, data.image_px));
  return {centre.pixels, centre.row_bytes, placement};
}

}  // namespace

PixelRect draw_random_crop(const RandomCrop& crop, PictureSize picture, core::Rng& rng) {
  constexpr int kAttempts = 10;
  constexpr double kLowestRatio = 3.0 / 4.0;  // width to height
  constexpr double kHighestRatio = 4.0 / 3.0;
  const double area = static_cast<double>(picture.width_px) * picture.height_px;
  const auto draw_corner = [&rng](int spare) {
    return static_cast<int>(rng.below(static_cast<std::uint64_t>(spare) + 1));
  };
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double part = area * rng.uniform(crop.min_area, 1.0);
    const double ratio = std::exp(rng.uniform(std::log(kLowestRatio), std::log(kHighestRatio)));
    const int width = static_cast<int>(std::lround(std::sqrt(part * ratio)));
    const int height = static_cast<int>(std::lround(std::sqrt(part / ratio)));
    if (width < 1 || height < 1 || width > picture.width_px || height > picture.height_px) continue;
    const int left = draw_corner(picture.width_px - width);
    const int top = draw_corner(picture.height_px - height);
    return {left, top, width, height};
  }
  const double ratio = static_cast<double>(picture.width_px) / picture.height_px;
  int width = picture.width_px;
  int height = picture.height_px;
  if (ratio < kLowestRatio) height = static_cast<int>(std::lround(width / kLowestRatio));
  if (ratio > kHighestRatio) width = static_cast<int>(std::lround(height * kHighestRatio));
  return {(picture.width_px - width) / 2, (picture.height_px - height) / 2, width, height};
}

std::int64_t batch_size_floats(const Dataset& data, std::int64_t num_images) {
  return num_images * data.image_px * data.image_px * data.channels;
}

void fill_batch(const Dataset& data, const ImageSplit& split, std::span<const std::int64_t> indices,
                const Augmentation* augmentation, float* nhwc) {
  OMNIFIT_CHECK(augmentation == nullptr || augmentation->max_shift_px >= 0,
                "a shift cannot be negative, got {}", augmentation->max_shift_px);
  OMNIFIT_CHECK(!data.random_crop || data.channels == kRgbChannels,
                "random crops are of colour images, got {} channels", data.channels);
  const RowNormaliser normaliser(data);
  const auto row_size = static_cast<std::size_t>(data.image_px * data.channels);
  std::vector<std::uint8_t> row(row_size);
  std::vector<std::uint8_t> scaled(data.random_crop && augmentation != nullptr
                                       ? row_size * static_cast<std::size_t>(data.image_px)
                                       : 0);
  for (const std::int64_t index : indices) {
    OMNIFIT_CHECK(index >= 0 && index < split.count(), "image {} of {}", index, split.count());
    const Square square =
        square_of(data, stored_image(data, split, index), augmentation, index, scaled);
    for (int y = 0; y < data.image_px; ++y, nhwc += row_size) {
      const int source_y = y - square.placement.down_px;
      if (source_y < 0 || source_y >= data.image_px) {
        normaliser.write_black(nhwc);
        continue;
      }
      const std::uint8_t* source =
          square.rows + static_cast<std::size_t>(source_y) * square.row_bytes;
      place_row(source, data.image_px, data.channels, square.placement, row.data());
      normaliser.write(row.data(), nhwc);
    }
  }
}

void fill_labels(const ImageSplit& split, std::span<const std::int64_t> indices,
                 std::int64_t* labels) {
  for (const std::int64_t index : indices) {
    OMNIFIT_CHECK(index >= 0 && index < split.count(), "label {} of {}", index, split.count());
    *labels++ = split.labels[static_cast<std::size_t>(index)];
  }
}

}  // namespace omnifit::supernet
