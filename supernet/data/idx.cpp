#include "supernet/data/idx.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/units.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace omnifit::supernet {
namespace {

constexpr std::uint32_t kImagesMagic = 2051;
constexpr std::uint32_t kLabelsMagic = 2049;
constexpr std::uint32_t kMaxSidePx = 65535;
/// Deflate cannot shrink anything further than that.
constexpr std::uint64_t kMaxDeflateRatio = 1032;

/// The first bytes of a file's content. Short if the content is, or if its gzip data are corrupt.
std::vector<std::byte> content_prefix(std::span<const std::byte> file_bytes, std::size_t size) {
  std::vector<std::byte> prefix(size);
  const bool gzip = file_bytes.size() >= 2 && file_bytes[0] == std::byte{0x1f} &&
                    file_bytes[1] == std::byte{0x8b};
  if (!gzip) {
    prefix.assign(file_bytes.begin(), file_bytes.begin() + static_cast<std::ptrdiff_t>(
                                                               std::min(size, file_bytes.size())));
    return prefix;
  }
  z_stream stream{};
  constexpr int kGzipOnly = 16;
  OMNIFIT_CHECK(inflateInit2(&stream, MAX_WBITS + kGzipOnly) == Z_OK, "cannot start zlib");
  // zlib's interface is not const-correct; it never writes to its input.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(file_bytes.data()));
  stream.avail_in =
      static_cast<uInt>(std::min<std::size_t>(file_bytes.size(), std::numeric_limits<uInt>::max()));
  stream.next_out = reinterpret_cast<Bytef*>(prefix.data());
  stream.avail_out = static_cast<uInt>(size);
  // A gzip file may have several members, and the first may be shorter than the prefix.
  int status = Z_OK;
  while (status == Z_OK && stream.avail_out > 0 && stream.avail_in > 0) {
    status = inflate(&stream, Z_SYNC_FLUSH);
    if (status == Z_STREAM_END) status = inflateReset(&stream);
  }
  prefix.resize(size - stream.avail_out);
  inflateEnd(&stream);
  return prefix;
}

std::uint32_t big_endian32(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = (value << 8) | std::to_integer<std::uint32_t>(bytes[at + i]);
  }
  return value;
}

/// What an IDX file says about itself.
struct Header {
  std::uint64_t count = 0;
  std::uint64_t height_px = 1;
  std::uint64_t width_px = 1;
  std::size_t size_bytes = 0;  ///< of the header
  std::string description;     ///< "60000 images of 28x28 pixels", "60000 labels"

  [[nodiscard]] std::uint64_t file_bytes() const {
    return size_bytes + count * height_px * width_px;
  }
};

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& message) {
  throw DataError(fmt::format("{}: {}", core::path_text(file), message));
}

Header parse_header(const std::filesystem::path& file, std::span<const std::byte> bytes,
                    std::uint32_t magic) {
  const bool images = magic == kImagesMagic;
  const char* kind = images ? "images" : "labels";
  const std::uint32_t found = big_endian32(bytes, 0);
  if (found != magic) {
    fail(file,
         fmt::format("not an IDX file of {}: magic number {}, expected {}", kind, found, magic));
  }
  Header header;
  header.size_bytes = bytes.size();
  header.count = big_endian32(bytes, 4);
  header.description = fmt::format("{} {}", header.count, kind);
  if (images) {
    header.height_px = big_endian32(bytes, 8);
    header.width_px = big_endian32(bytes, 12);
    header.description += fmt::format(" of {}x{} pixels", header.height_px, header.width_px);
    const auto [low, high] = std::minmax(header.height_px, header.width_px);
    if (low == 0 || high > kMaxSidePx) {
      fail(file, fmt::format("its header says {}; sides must be in [1, {}]", header.description,
                             kMaxSidePx));
    }
  }
  if (header.count == 0) fail(file, fmt::format("holds no {}", kind));
  return header;
}

/// Refuses a header that claims more than the file can hold, before anything of that size exists.
void check_plausible(const std::filesystem::path& file, const Header& header,
                     std::uint64_t packed_bytes) {
  // 2^32 images of 2^32 pixels at most, so the product needs a look before it is taken.
  const std::uint64_t image_bytes = header.height_px * header.width_px;
  const bool too_large = header.count > kMaxDataFileBytes / image_bytes;
  if (too_large || header.file_bytes() > (packed_bytes + 1) * kMaxDeflateRatio) {
    fail(file, fmt::format("its header says {}, more than a file of {} can hold",
                           header.description, core::format_bytes(double(packed_bytes))));
  }
}

struct IdxContent {
  Header header;
  std::vector<std::byte> bytes;  ///< header and body
};

IdxContent read_content(const std::filesystem::path& file, std::uint32_t magic) {
  const std::size_t header_bytes = magic == kImagesMagic ? 16 : 8;
  const std::vector<std::byte> packed = core::read_file(file, kMaxDataFileBytes);
  const std::vector<std::byte> prefix = content_prefix(packed, header_bytes);
  if (prefix.size() < header_bytes) {
    core::read_gzip_file(file, header_bytes);  // corrupt or truncated gzip data: says so
    fail(file,
         fmt::format("{} bytes are too few for an IDX header of {}", prefix.size(), header_bytes));
  }
  IdxContent content;
  content.header = parse_header(file, prefix, magic);
  check_plausible(file, content.header, packed.size());
  const std::uint64_t expected = content.header.file_bytes();
  try {
    content.bytes = core::read_gzip_file(file, expected);
  } catch (const DataError& error) {
    throw DataError(
        fmt::format("{} (its header says {})", error.what(), content.header.description));
  }
  if (content.bytes.size() != expected) {
    fail(file, fmt::format("truncated: {} bytes, but its header says {}, which are {} bytes",
                           content.bytes.size(), content.header.description, expected));
  }
  return content;
}

}  // namespace

RawImages read_idx(const std::filesystem::path& images_file,
                   const std::filesystem::path& labels_file, int num_classes) {
  const IdxContent labels = read_content(labels_file, kLabelsMagic);
  const IdxContent images = read_content(images_file, kImagesMagic);
  if (images.header.count != labels.header.count) {
    fail(images_file, fmt::format("holds {} images, but {} holds {} labels", images.header.count,
                                  core::path_text(labels_file), labels.header.count));
  }
  RawImages raw;
  raw.height_px = static_cast<int>(images.header.height_px);
  raw.width_px = static_cast<int>(images.header.width_px);
  raw.channels = 1;
  const auto* pixels = reinterpret_cast<const std::uint8_t*>(images.bytes.data());
  raw.pixels.assign(pixels + images.header.size_bytes, pixels + images.bytes.size());
  raw.labels.reserve(labels.header.count);
  for (std::size_t at = labels.header.size_bytes; at < labels.bytes.size(); ++at) {
    const auto label = std::to_integer<std::int32_t>(labels.bytes[at]);
    check_label(labels_file, raw.count(), label, num_classes);
    raw.labels.push_back(label);
  }
  return raw;
}

std::array<std::filesystem::path, 2> find_idx_files(const std::filesystem::path& root,
                                                    const std::string& prefix) {
  const auto find = [&root, &prefix](const char* suffix) {
    const std::string name = prefix + suffix;
    for (const std::string& candidate : {name, name + ".gz"}) {
      if (name_exists(root / candidate)) return root / candidate;
    }
    fail(root, fmt::format("neither {} nor {}.gz found in this folder", name, name));
  };
  return {find("-images-idx3-ubyte"), find("-labels-idx1-ubyte")};
}

}  // namespace omnifit::supernet
