#pragma once

#include "core/error.hpp"
#include "tests/supernet/data/data_files.hpp"

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <jpeglib.h>

namespace omnifit::test {

/// How a test picture is written.
struct JpegStyle {
  J_COLOR_SPACE in = JCS_RGB;        ///< of the given samples
  J_COLOR_SPACE stored = JCS_YCbCr;  ///< in the file
  int quality = 100;
  bool progressive = false;
  std::vector<jpeg_scan_info> scans = {};  ///< not empty: these instead of the usual ones
};

/// `sample(y, x, channel)` as a JPEG file, without chroma subsampling. Errors of the library end
/// the process, which only a wrong test can cause.
inline Bytes encode_jpeg(int height, int width, const std::function<int(int, int, int)>& sample,
                         const JpegStyle& style = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_height = static_cast<JDIMENSION>(height);
  info.image_width = static_cast<JDIMENSION>(width);
  info.in_color_space = style.in;
  info.input_components = style.in == JCS_GRAYSCALE ? 1 : style.in == JCS_CMYK ? 4 : 3;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, style.stored);
  jpeg_set_quality(&info, style.quality, TRUE);
  for (int i = 0; i < info.num_components; ++i) {
    info.comp_info[i].h_samp_factor = 1;
    info.comp_info[i].v_samp_factor = 1;
  }
  if (style.progressive) jpeg_simple_progression(&info);
  if (!style.scans.empty()) {
    info.scan_info = style.scans.data();
    info.num_scans = static_cast<int>(style.scans.size());
  }
  jpeg_start_compress(&info, TRUE);
  std::vector<JSAMPLE> row(static_cast<std::size_t>(width * info.input_components));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < info.input_components; ++c) {
        row[static_cast<std::size_t>(x * info.input_components + c)] =
            static_cast<JSAMPLE>(sample(y, x, c));
      }
    }
    JSAMPROW rows = row.data();
    jpeg_write_scanlines(&info, &rows, 1);
  }
  jpeg_finish_compress(&info);
  Bytes bytes(reinterpret_cast<std::byte*>(buffer), reinterpret_cast<std::byte*>(buffer) + size);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return bytes;
}

/// A smooth picture, different for every `shade`.
inline Bytes shaded_jpeg(int height, int width, int shade, const JpegStyle& style = {}) {
  return encode_jpeg(
      height, width,
      [=](int y, int x, int c) {
        return (shade + 60 * c + y * 40 / height + x * 40 / width) % 256;
      },
      style);
}

/// Where the frame header's precision byte is; height and width follow as two bytes each.
inline std::size_t frame_header(const Bytes& jpeg) {
  std::size_t at = 2;
  while (at + 4 < jpeg.size()) {
    const auto marker = std::to_integer<int>(jpeg[at + 1]);
    if (marker >= 0xC0 && marker <= 0xC2) return at + 4;
    at += 2 + static_cast<std::size_t>(std::to_integer<int>(jpeg[at + 2]) * 256 +
                                       std::to_integer<int>(jpeg[at + 3]));
  }
  throw BugError("no frame header");
}

/// Says another size in the header than the picture has.
inline Bytes with_size(Bytes jpeg, int height, int width) {
  const std::size_t at = frame_header(jpeg) + 1;
  jpeg[at] = static_cast<std::byte>(height / 256);
  jpeg[at + 1] = static_cast<std::byte>(height % 256);
  jpeg[at + 2] = static_cast<std::byte>(width / 256);
  jpeg[at + 3] = static_cast<std::byte>(width % 256);
  return jpeg;
}

/// Class folders "a", "b", … of train/ and val/ with `num_train` and `num_test` pictures each,
/// height 20 and width 30 pixels; picture i of class c has shade 20 · c + i.
inline void write_image_set(const std::filesystem::path& root, int num_classes, int num_train,
                            int num_test) {
  for (const bool test : {false, true}) {
    for (int c = 0; c < num_classes; ++c) {
      const auto folder =
          root / (test ? "val" : "train") / std::string(1, static_cast<char>('a' + c));
      std::filesystem::create_directories(folder);
      for (int i = 0; i < (test ? num_test : num_train); ++i) {
        write_bytes(folder / fmt::format("{}.jpg", i), shaded_jpeg(20, 30, 20 * c + i));
      }
    }
  }
}

/// The job section that reads it: 3 classes, images of 12 pixels.
inline supernet::DataConfig folder_config(const std::filesystem::path& root) {
  supernet::DataConfig config;
  config.format = supernet::DataFormat::kImageFolder;
  config.root = root.string();
  config.num_classes = 3;
  config.image_px = 12;
  config.num_validation = 12;
  return config;
}

}  // namespace omnifit::test
