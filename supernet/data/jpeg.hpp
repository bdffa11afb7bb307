#pragma once

#include "supernet/data/decode_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::supernet {

inline constexpr int kRgbChannels = 3;

/// Most pixels a picture may have. Checked from the header, before anything is decoded: a small
/// file can ask for gigabytes. Decoding takes 3 bytes per pixel, progressive files 9.
inline constexpr std::int64_t kMaxJpegPixels = 100'000'000;
/// Most passes a progressive file may make over its pixels; encoders use about ten.
inline constexpr int kMaxJpegScans = 200;
inline constexpr std::uint64_t kMaxJpegFileBytes = std::uint64_t{256} << 20;

struct PictureSize {
  int height_px = 0;
  int width_px = 0;
  friend bool operator==(const PictureSize&, const PictureSize&) = default;
};

/// A decoded picture: 8-bit red, green, blue, row by row.
struct Picture {
  PictureSize size;
  std::vector<std::uint8_t> pixels;  ///< [height, width, 3]
  /// What the decoder found damaged but could decode all the same, e.g. stray bytes between
  /// segments; empty: nothing. The reference's loader passes such files too.
  std::string damage;
  /// What it took of a DecodeMemory while it was decoded, held as long as the picture.
  std::optional<DecodeMemory::Claim> memory = std::nullopt;
};

/// Decodes a JPEG file as the reference's loader does (Pillow's `Image.open(FILE).convert("RGB")`):
/// grey becomes equal red, green and blue; CMYK and YCCK are taken as stored inverted (Adobe's
/// way) and converted; an EXIF rotation is ignored; colour profiles too. Thread-safe.
///
/// With `memory`, waits after the header until what decoding takes is free there: the file, the
/// pixels, and of files with several passes the coefficients.
///
/// @throws DataError "PATH: …": missing, empty, not a JPEG file, truncated, not 8 bits per sample,
/// more than kMaxJpegPixels pixels, kMaxJpegScans passes or kMaxJpegFileBytes, more than `memory`
/// has at all, or damaged beyond decoding.
Picture read_jpeg(const std::filesystem::path& file, DecodeMemory* memory = nullptr);

/// Height and width from the header of the same file, with the same errors as far as the header
/// shows them.
PictureSize read_jpeg_size(const std::filesystem::path& file);

}  // namespace omnifit::supernet
