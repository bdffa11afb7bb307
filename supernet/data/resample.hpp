#pragma once

#include "supernet/data/jpeg.hpp"

#include <cstddef>
#include <cstdint>

namespace omnifit::supernet {

/// A rectangle of pixels in a larger picture.
struct PixelRect {
  int left_px = 0;
  int top_px = 0;
  int width_px = 0;
  int height_px = 0;
  friend bool operator==(const PixelRect&, const PixelRect&) = default;
};

/// An 8-bit RGB picture in memory that somebody else owns.
struct PictureView {
  const std::uint8_t* pixels = nullptr;  ///< [height, width, 3], rows `row_bytes` apart
  PictureSize size;
  std::size_t row_bytes = 0;

  /// The picture that a rectangle of this one is. @pre it lies inside
  [[nodiscard]] PictureView cut(const PixelRect& rect) const;
};
PictureView view(const Picture& picture);

/// Size of a picture whose shorter side becomes `shorter_px`; the longer side is rounded down, as
/// in the reference's loader (torchvision's Resize).
PictureSize resized_size(PictureSize size, int shorter_px);

/// The centre square of a picture, its corner rounded half to even as in torchvision's CenterCrop.
/// @pre side_px is at most the shorter side
PixelRect centre_square(PictureSize size, int side_px);

/// Scales `source` to `size` and writes the pixels of `part` of the result to rgb [part.height,
/// part.width, 3]; nothing else is computed.
///
/// Bilinear with antialiasing, pixel for pixel what Pillow's BILINEAR gives: a triangle filter
/// whose support grows with the reduction, weights in 22-bit fixed point, first along rows, then
/// along columns, rounded to 8 bits after each. Equal on every machine. Thread-safe.
void resample(const PictureView& source, PictureSize size, const PixelRect& part,
              std::uint8_t* rgb);

}  // namespace omnifit::supernet
