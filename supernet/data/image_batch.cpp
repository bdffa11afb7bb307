#include "supernet/data/image_batch.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"

#include <algorithm>
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

Placement draw_placement(const Augmentation& augmentation, std::int64_t index) {
  core::Rng rng = core::Rng::stream(augmentation.seed, core::Purpose::kAugment,
                                    {augmentation.epoch, static_cast<std::uint64_t>(index)});
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

}  // namespace

std::int64_t batch_size_floats(const Dataset& data, std::int64_t num_images) {
  return num_images * data.image_px * data.image_px * data.channels;
}

void fill_batch(const Dataset& data, const ImageSplit& split, std::span<const std::int64_t> indices,
                const Augmentation* augmentation, float* nhwc) {
  OMNIFIT_CHECK(augmentation == nullptr || augmentation->max_shift_px >= 0,
                "a shift cannot be negative, got {}", augmentation->max_shift_px);
  const RowNormaliser normaliser(data);
  const auto row_size = static_cast<std::size_t>(data.image_px * data.channels);
  const std::size_t image_size = row_size * static_cast<std::size_t>(data.image_px);
  std::vector<std::uint8_t> row(row_size);
  for (const std::int64_t index : indices) {
    OMNIFIT_CHECK(index >= 0 && index < split.count(), "image {} of {}", index, split.count());
    const std::uint8_t* image = split.pixels.data() + static_cast<std::size_t>(index) * image_size;
    const Placement placement =
        augmentation != nullptr ? draw_placement(*augmentation, index) : Placement{};
    for (int y = 0; y < data.image_px; ++y, nhwc += row_size) {
      const int source_y = y - placement.down_px;
      if (source_y < 0 || source_y >= data.image_px) {
        normaliser.write_black(nhwc);
        continue;
      }
      const std::uint8_t* source = image + static_cast<std::size_t>(source_y) * row_size;
      place_row(source, data.image_px, data.channels, placement, row.data());
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
