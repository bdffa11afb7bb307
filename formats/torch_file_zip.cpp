#include "formats/torch_file_zip.hpp"

#include "core/error.hpp"
#include "formats/tensor_file_header.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

namespace omnifit::formats {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr std::uint64_t kLocalBytes = 30;
constexpr std::uint64_t kCentralBytes = 46;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kEnd64Bytes = 56;
constexpr std::uint64_t kEnd64LocatorBytes = 20;
constexpr std::uint64_t kMaxCommentBytes = 0xffff;
constexpr std::uint16_t kZip64ExtraId = 1;
constexpr std::uint16_t kEncryptedFlag = 1;

/// Reads little-endian fields one after the other out of a part of the file.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] bool has(std::size_t count) const { return count <= bytes_.size(); }
  /// @pre has(sizeof(T))
  template <class T>
  T next() {
    T value{};
    std::memcpy(&value, bytes_.data(), sizeof(T));
    bytes_ = bytes_.subspan(sizeof(T));
    return value;
  }
  std::uint16_t u16() { return next<std::uint16_t>(); }
  std::uint32_t u32() { return next<std::uint32_t>(); }
  std::uint64_t u64() { return next<std::uint64_t>(); }
  void skip(std::size_t count) { bytes_ = bytes_.subspan(count); }
  [[nodiscard]] std::span<const std::byte> take(std::size_t count) {
    const auto part = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return part;
  }

 private:
  std::span<const std::byte> bytes_;
};

/// Where the central directory lies.
struct Directory {
  std::uint64_t num_entries = 0;
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
};

struct Entry {
  std::string_view name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::uint64_t size = 0;         ///< uncompressed
  std::uint64_t stored_size = 0;  ///< in the file
  std::uint64_t header_at = 0;    ///< of its local header
};

/// A 16- or 32-bit field that is all ones says: look into the zip64 record.
template <class T>
bool saturated(T value) {
  return value == std::numeric_limits<T>::max();
}

class ZipReader {
 public:
  ZipReader(const std::string& where, std::span<const std::byte> bytes)
      : where_(where), bytes_(bytes) {}

  ZipEntries read() {
    const Directory directory = find_directory();
    const std::vector<Entry> entries = read_directory(directory);
    ZipEntries contents;
    for (const Entry& entry : entries) {
      check_supported(entry);
      if (!contents.emplace(entry.name, content(entry, directory.begin)).second) {
        fail(fmt::format("zip entry {} occurs twice", shown_text(entry.name)));
      }
    }
    check_overlaps(contents);
    for (const Entry& entry : entries) check_crc(entry, contents.at(entry.name));
    return contents;
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw DataError(fmt::format("{}: {}", where_, message));
  }

  [[nodiscard]] Fields at(std::uint64_t begin, std::uint64_t size, const char* what) const {
    if (begin > bytes_.size() || size > bytes_.size() - begin) {
      fail(fmt::format("damaged: {} at byte {} does not lie in the file", what, begin));
    }
    return Fields(bytes_.subspan(begin, size));
  }

  /// The end record is the last thing in the file but for a comment whose length it states.
  Directory find_directory() const {
    if (bytes_.size() >= kEndBytes) {
      const std::uint64_t last = bytes_.size() - kEndBytes;
      const std::uint64_t first = last - std::min(last, kMaxCommentBytes);
      for (std::uint64_t begin = last + 1; begin-- > first;) {
        Fields fields(bytes_.subspan(begin, kEndBytes));
        if (fields.u32() != kEndSignature) continue;
        fields.skip(16);
        if (fields.u16() == last - begin) return read_end(begin);
      }
    }
    fail("truncated: a zip archive without its end record");
  }

  [[nodiscard]] Directory read_end(std::uint64_t begin) const {
    Fields fields = at(begin + sizeof(kEndSignature), kEndBytes - sizeof(kEndSignature), "");
    const std::uint16_t disk = fields.u16();
    const std::uint16_t directory_disk = fields.u16();
    const std::uint16_t entries_here = fields.u16();
    const std::uint16_t entries = fields.u16();
    const std::uint32_t size = fields.u32();
    const std::uint32_t offset = fields.u32();
    const bool several_disks =
        (disk != 0 && !saturated(disk)) || (directory_disk != 0 && !saturated(directory_disk));
    if (several_disks || entries_here != entries) fail("a zip archive of several disks");

    Directory directory{entries, offset, size};
    if (const auto wide = read_end64(begin)) {
      if ((!saturated(entries) && entries != wide->num_entries) ||
          (!saturated(size) && size != wide->size) ||
          (!saturated(offset) && offset != wide->begin)) {
        fail("damaged: the zip archive's two end records differ");
      }
      directory = *wide;
    } else if (saturated(entries) || saturated(size) || saturated(offset)) {
      fail("damaged: the zip64 end record is missing");
    }
    if (directory.begin > begin || directory.size > begin - directory.begin) {
      fail("damaged: the zip directory does not lie before its end record");
    }
    if (directory.num_entries > directory.size / kCentralBytes) {
      fail(fmt::format("damaged: {} zip entries in a directory of {} bytes", directory.num_entries,
                       directory.size));
    }
    return directory;
  }

  /// The zip64 end record, which a locator before the end record at `end` points to.
  [[nodiscard]] std::optional<Directory> read_end64(std::uint64_t end) const {
    if (end < kEnd64LocatorBytes) return std::nullopt;
    Fields locator = at(end - kEnd64LocatorBytes, kEnd64LocatorBytes, "");
    if (locator.u32() != kEnd64LocatorSignature) return std::nullopt;
    locator.skip(sizeof(std::uint32_t));
    Fields record = at(locator.u64(), kEnd64Bytes, "the zip64 end record");
    if (record.u32() != kEnd64Signature) fail("damaged: the zip64 end record is missing");
    record.skip(8 + 2 + 2);  // its size, versions
    const std::uint32_t disk = record.u32();
    const std::uint32_t directory_disk = record.u32();
    const std::uint64_t entries_here = record.u64();
    Directory directory;
    directory.num_entries = record.u64();
    directory.size = record.u64();
    directory.begin = record.u64();
    if (disk != 0 || directory_disk != 0 || entries_here != directory.num_entries) {
      fail("a zip archive of several disks");
    }
    return directory;
  }

  [[nodiscard]] std::vector<Entry> read_directory(const Directory& directory) const {
    std::vector<Entry> entries;
    Fields fields = at(directory.begin, directory.size, "the zip directory");
    for (std::uint64_t i = 0; i < directory.num_entries; ++i) {
      if (!fields.has(kCentralBytes) || fields.u32() != kCentralSignature) {
        fail(fmt::format("damaged: zip directory entry {} is not one", i));
      }
      entries.push_back(read_entry(fields));
    }
    return entries;
  }

  [[nodiscard]] Entry read_entry(Fields& fields) const {
    Entry entry;
    fields.skip(2 + 2);  // versions
    entry.flags = fields.u16();
    entry.method = fields.u16();
    fields.skip(2 + 2);  // time and date
    entry.crc = fields.u32();
    const std::uint32_t stored_size = fields.u32();
    const std::uint32_t size = fields.u32();
    const std::size_t name_size = fields.u16();
    const std::size_t extra_size = fields.u16();
    const std::size_t comment_size = fields.u16();
    fields.skip(2 + 2 + 4);  // disk, attributes
    const std::uint32_t header_at = fields.u32();
    if (!fields.has(name_size + extra_size + comment_size)) {
      fail("damaged: a zip directory entry is cut off");
    }
    const auto name = fields.take(name_size);
    entry.name = {reinterpret_cast<const char*>(name.data()), name.size()};
    Fields wide(zip64_extra(fields.take(extra_size)));
    fields.skip(comment_size);
    entry.size = widened(size, wide, entry);
    entry.stored_size = widened(stored_size, wide, entry);
    entry.header_at = widened(header_at, wide, entry);
    return entry;
  }

  /// Content of the zip64 field among an entry's extra fields, empty if there is none.
  static std::span<const std::byte> zip64_extra(std::span<const std::byte> extra) {
    Fields fields(extra);
    while (fields.has(2 + 2)) {
      const std::uint16_t id = fields.u16();
      const std::size_t size = fields.u16();
      if (!fields.has(size)) break;
      const auto content = fields.take(size);
      if (id == kZip64ExtraId) return content;
    }
    return {};
  }

  [[nodiscard]] std::uint64_t widened(std::uint32_t value, Fields& wide, const Entry& entry) const {
    if (!saturated(value)) return value;
    if (!wide.has(sizeof(std::uint64_t))) {
      fail(fmt::format("damaged: zip entry {} has no zip64 sizes", shown_text(entry.name)));
    }
    return wide.u64();
  }

  void check_supported(const Entry& entry) const {
    if ((entry.flags & kEncryptedFlag) != 0) {
      fail(fmt::format("zip entry {} is encrypted", shown_text(entry.name)));
    }
    if (entry.method != 0) {
      fail(
          fmt::format("zip entry {} is compressed (method {}); a state dict has stored entries "
                      "only, unlike a TorchScript archive",
                      shown_text(entry.name), entry.method));
    }
    if (entry.size != entry.stored_size) {
      fail(fmt::format("damaged: stored zip entry {} has two sizes, {} and {}",
                       shown_text(entry.name), entry.size, entry.stored_size));
    }
  }

  /// Data between an entry's local header and the directory. What the local header repeats must
  /// agree, so that no other reader sees another file.
  [[nodiscard]] std::span<const std::byte> content(const Entry& entry,
                                                   std::uint64_t directory_begin) const {
    Fields fields = at(entry.header_at, kLocalBytes, "a zip entry's header");
    if (fields.u32() != kLocalSignature) {
      fail(fmt::format("damaged: zip entry {} has no header", shown_text(entry.name)));
    }
    fields.skip(2 + 2);  // version, flags
    const std::uint16_t method = fields.u16();
    fields.skip(2 + 2 + 4 + 4 + 4);  // time, date, CRC and sizes, which may follow the data instead
    const std::size_t name_size = fields.u16();
    const std::size_t extra_size = fields.u16();
    const std::uint64_t name_at = entry.header_at + kLocalBytes;
    const auto name = at(name_at, name_size, "a zip entry's name").take(name_size);
    if (method != entry.method ||
        std::string_view(reinterpret_cast<const char*>(name.data()), name.size()) != entry.name) {
      fail(fmt::format("damaged: the header of zip entry {} says something else",
                       shown_text(entry.name)));
    }
    const std::uint64_t begin = name_at + name_size + extra_size;
    if (begin > directory_begin || entry.size > directory_begin - begin) {
      fail(fmt::format("truncated: zip entry {} of {} bytes does not lie in the file",
                       shown_text(entry.name), entry.size));
    }
    return bytes_.subspan(begin, entry.size);
  }

  void check_overlaps(const ZipEntries& contents) const {
    std::vector<const ZipEntries::value_type*> sorted;
    for (const auto& entry : contents) sorted.push_back(&entry);
    std::ranges::sort(sorted, {}, [](const auto* entry) { return entry->second.data(); });
    for (std::size_t i = 1; i < sorted.size(); ++i) {
      const auto& before = sorted[i - 1]->second;
      if (sorted[i]->second.data() < before.data() + before.size()) {
        fail(fmt::format("zip entries {} and {} overlap", shown_text(sorted[i - 1]->first),
                         shown_text(sorted[i]->first)));
      }
    }
  }

  void check_crc(const Entry& entry, std::span<const std::byte> data) const {
    const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size());
    if (crc != entry.crc) {
      fail(
          fmt::format("zip entry {} has a wrong CRC; the file is damaged", shown_text(entry.name)));
    }
  }

  const std::string& where_;
  std::span<const std::byte> bytes_;
};

}  // namespace

ZipEntries read_zip(const std::string& where, std::span<const std::byte> bytes) {
  return ZipReader(where, bytes).read();
}

}  // namespace omnifit::formats
