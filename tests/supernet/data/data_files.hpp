#pragma once

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "supernet/data/dataset.hpp"

#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace omnifit::test {

using Bytes = std::vector<std::byte>;

inline void append(Bytes& bytes, int value) { bytes.push_back(static_cast<std::byte>(value)); }

inline void append_big_endian32(Bytes& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    append(bytes, static_cast<int>(value >> shift & 255));
}

/// An IDX file of images; every pixel of image i has the value i mod 256.
inline Bytes idx_images(std::uint32_t count, std::uint32_t height, std::uint32_t width) {
  Bytes bytes;
  append_big_endian32(bytes, 2051);
  append_big_endian32(bytes, count);
  append_big_endian32(bytes, height);
  append_big_endian32(bytes, width);
  for (std::uint32_t i = 0; i < count; ++i) {
    bytes.insert(bytes.end(), std::size_t{height} * width, static_cast<std::byte>(i));
  }
  return bytes;
}

inline Bytes idx_labels(const std::vector<int>& labels) {
  Bytes bytes;
  append_big_endian32(bytes, 2049);
  append_big_endian32(bytes, static_cast<std::uint32_t>(labels.size()));
  for (const int label : labels) append(bytes, label);
  return bytes;
}

/// CIFAR records whose red, green and blue planes hold 10, 20 and 30 plus the pixel's column.
inline Bytes cifar_records(const std::vector<int>& labels) {
  Bytes bytes;
  for (const int label : labels) {
    append(bytes, label);
    for (int plane = 1; plane <= 3; ++plane) {
      for (int i = 0; i < 32 * 32; ++i) append(bytes, 10 * plane + i % 32);
    }
  }
  return bytes;
}

/// 0, 1, … classes − 1, 0, 1, …
inline std::vector<int> cyclic_labels(int count, int num_classes) {
  std::vector<int> labels;
  for (int i = 0; i < count; ++i) labels.push_back(i % num_classes);
  return labels;
}

inline Bytes gzipped(const Bytes& bytes) {
  z_stream stream{};
  OMNIFIT_CHECK(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK,
                "deflateInit2 failed");
  Bytes packed(deflateBound(&stream, bytes.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  OMNIFIT_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate failed");
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

inline void write_bytes(const std::filesystem::path& file, const Bytes& bytes) {
  core::write_file_atomically(file, std::span<const std::byte>(bytes));
}

/// What a call that must throw E says.
template <class E, class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// A small, valid IDX data set of 3 classes under the usual names: 30 training and 9 test images.
inline void write_idx_set(const std::filesystem::path& root, std::uint32_t side = 8) {
  std::filesystem::create_directories(root);
  write_bytes(root / "train-images-idx3-ubyte", idx_images(30, side, side));
  write_bytes(root / "train-labels-idx1-ubyte", idx_labels(cyclic_labels(30, 3)));
  write_bytes(root / "t10k-images-idx3-ubyte", idx_images(9, side, side));
  write_bytes(root / "t10k-labels-idx1-ubyte", idx_labels(cyclic_labels(9, 3)));
}

/// The job section that reads it.
inline supernet::DataConfig idx_config(const std::filesystem::path& root) {
  supernet::DataConfig config;
  config.format = supernet::DataFormat::kIdx;
  config.root = root.string();
  config.num_classes = 3;
  config.image_px = 8;
  config.num_validation = 12;
  return config;
}

}  // namespace omnifit::test
