#include "formats/tensor_file.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/utf8.hpp"
#include "formats/tensor_file_header.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <set>
#include <stdexcept>

namespace omnifit::formats {

static_assert(std::endian::native == std::endian::little,
              "tensor data is kept little-endian in memory");

namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kAlignment = 8;

/// Bytes of a tensor, or nullopt if the number does not fit.
std::optional<std::uint64_t> size_bytes(DType dtype, const std::vector<std::int64_t>& shape) {
  std::uint64_t size = dtype_bytes(dtype);
  for (const std::int64_t dim : shape) {
    if (dim < 0 || __builtin_mul_overflow(size, static_cast<std::uint64_t>(dim), &size)) {
      return std::nullopt;
    }
  }
  return size;
}

/// Header entries of tensors that follow each other without gaps.
std::vector<TensorEntry> entries_of(const std::vector<NamedTensor>& tensors) {
  std::vector<TensorEntry> entries;
  std::uint64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    const std::uint64_t end = offset + tensor.data.size();
    entries.push_back({tensor.name, tensor.dtype, tensor.shape, offset, end});
    offset = end;
  }
  return entries;
}

void check_writable(const std::filesystem::path& file, const TensorFile& content) {
  std::set<std::string_view> names;
  for (const NamedTensor& tensor : content.tensors) {
    if (!core::is_utf8(tensor.name) || tensor.name.empty() || tensor.name == kMetadataKey) {
      throw std::invalid_argument(
          fmt::format("tensor name {} must be UTF-8, not empty and not '{}'",
                      shown_text(tensor.name), kMetadataKey));
    }
    if (!names.insert(tensor.name).second) {
      throw std::invalid_argument(
          fmt::format("tensor name {} occurs twice", shown_text(tensor.name)));
    }
    if (size_bytes(tensor.dtype, tensor.shape) != tensor.data.size()) {
      throw std::invalid_argument(fmt::format("tensor {}: {} bytes of data do not fit its shape {}",
                                              shown_text(tensor.name), tensor.data.size(),
                                              shape_text(tensor.shape)));
    }
  }
  for (const auto& [key, value] : content.metadata) {
    if (key == kDataHashKey || key == kHeaderHashKey) {
      throw std::invalid_argument(fmt::format("metadata key '{}' is reserved", key));
    }
    if (!core::is_utf8(key) || !core::is_utf8(value)) {
      throw DataError(
          fmt::format("{}: metadata {} is not UTF-8 text", core::path_text(file), shown_text(key)));
    }
  }
}

/// The tensors must cover the data section exactly, in order, without overlaps or gaps.
void check_layout(const std::string& where, const std::vector<TensorEntry>& entries,
                  std::uint64_t data_bytes) {
  std::uint64_t expected = 0;
  for (const TensorEntry& entry : entries) {
    const auto size = size_bytes(entry.dtype, entry.shape);
    if (!size) {
      throw DataError(fmt::format("{}: tensor {}: shape {} is too large", where,
                                  shown_text(entry.name), shape_text(entry.shape)));
    }
    if (entry.end < entry.begin || entry.end - entry.begin != *size) {
      throw DataError(
          fmt::format("{}: tensor {}: shape {} of {} needs {} bytes, but its offsets are [{}, {}]",
                      where, shown_text(entry.name), shape_text(entry.shape),
                      dtype_name(entry.dtype), *size, entry.begin, entry.end));
    }
    if (entry.end > data_bytes) {
      throw DataError(
          fmt::format("{}: tensor {} ends at byte {} of the data section, which has {} bytes; "
                      "the file is truncated or damaged",
                      where, shown_text(entry.name), entry.end, data_bytes));
    }
    if (entry.begin != expected) {
      throw DataError(fmt::format(
          "{}: tensor {} {} (starts at byte {}, expected {})", where, shown_text(entry.name),
          entry.begin < expected ? "overlaps another tensor" : "leaves a gap before its data",
          entry.begin, expected));
    }
    expected = entry.end;
  }
  if (expected != data_bytes) {
    throw DataError(
        fmt::format("{}: {} bytes after the last tensor", where, data_bytes - expected));
  }
}

/// Checks the hashes omnifit adds and removes them from the metadata. A file with neither is a
/// foreign one and is accepted; one alone means that the other was damaged.
void check_hashes(const std::string& where, TensorFileHeader& header,
                  std::span<const std::byte> data) {
  const auto data_hash = header.metadata.extract(std::string(kDataHashKey));
  const auto header_hash = header.metadata.extract(std::string(kHeaderHashKey));
  if (data_hash.empty() && header_hash.empty()) return;
  if (data_hash.empty() || header_hash.empty()) {
    throw DataError(
        fmt::format("{}: metadata key '{}' is missing although '{}' is there; "
                    "the file is damaged",
                    where, data_hash.empty() ? kDataHashKey : kHeaderHashKey,
                    data_hash.empty() ? kHeaderHashKey : kDataHashKey));
  }
  if (core::sha256_hex(data) != data_hash.mapped()) {
    throw DataError(fmt::format("{}: wrong SHA-256 of the data; the file is damaged", where));
  }
  TensorFileHeader hashed = header;
  hashed.metadata.emplace(kDataHashKey, data_hash.mapped());
  if (core::sha256_hex(header_text(hashed)) != header_hash.mapped()) {
    throw DataError(fmt::format("{}: wrong SHA-256 of the header; the file is damaged", where));
  }
}

}  // namespace

std::int64_t NamedTensor::count() const {
  std::int64_t count = 1;
  for (const std::int64_t dim : shape) count *= dim;
  return count;
}

std::span<const float> NamedTensor::floats() const {
  OMNIFIT_CHECK(dtype == DType::kFloat32, "tensor {} is {}, not F32", shown_text(name),
                dtype_name(dtype));
  return {reinterpret_cast<const float*>(data.data()), data.size() / sizeof(float)};
}

NamedTensor NamedTensor::from_floats(std::string name, std::vector<std::int64_t> shape,
                                     std::span<const float> values) {
  if (size_bytes(DType::kFloat32, shape) != values.size_bytes()) {
    throw std::invalid_argument(fmt::format("tensor {}: {} values do not fit the shape {}",
                                            shown_text(name), values.size(), shape_text(shape)));
  }
  const auto bytes = std::as_bytes(values);
  return {std::move(name), DType::kFloat32, std::move(shape), {bytes.begin(), bytes.end()}};
}

const NamedTensor* TensorFile::find(std::string_view name) const {
  const auto found = std::ranges::find(tensors, name, &NamedTensor::name);
  return found == tensors.end() ? nullptr : &*found;
}

void write_tensor_file(const std::filesystem::path& file, const TensorFile& content) {
  check_writable(file, content);
  std::vector<std::byte> data;
  for (const NamedTensor& tensor : content.tensors) {
    data.insert(data.end(), tensor.data.begin(), tensor.data.end());
  }
  TensorFileHeader header{content.metadata, entries_of(content.tensors)};
  header.metadata.emplace(kDataHashKey, core::sha256_hex(std::span<const std::byte>(data)));
  header.metadata.emplace(kHeaderHashKey, core::sha256_hex(header_text(header)));

  std::string text = header_text(header);
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  if (text.size() > kMaxHeaderBytes) {
    throw DataError(fmt::format("{}: header of {} bytes is too large (allowed: at most {})",
                                core::path_text(file), text.size(), kMaxHeaderBytes));
  }
  const std::uint64_t length = text.size();
  const auto length_bytes = std::bit_cast<std::array<std::byte, kLengthBytes>>(length);
  const auto text_bytes = std::as_bytes(std::span(text));
  data.insert(data.begin(), text_bytes.begin(), text_bytes.end());
  data.insert(data.begin(), length_bytes.begin(), length_bytes.end());
  core::write_file_atomically(file, std::span<const std::byte>(data));
}

TensorFile read_tensor_file(const std::filesystem::path& file) {
  const std::string where = core::path_text(file);
  const std::vector<std::byte> bytes = core::read_file(file);
  if (bytes.size() < kLengthBytes) {
    throw DataError(fmt::format("{}: {} bytes, too short for a tensor file", where, bytes.size()));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes) {
    throw DataError(
        fmt::format("{}: header of {} bytes is too large (allowed: at most {}); not a tensor file?",
                    where, length, kMaxHeaderBytes));
  }
  if (length > bytes.size() - kLengthBytes) {
    throw DataError(fmt::format("{}: truncated: the header has {} bytes, the file only {} more",
                                where, length, bytes.size() - kLengthBytes));
  }
  const std::span<const std::byte> all(bytes);
  const auto data = all.subspan(kLengthBytes + length);
  TensorFileHeader header =
      parse_header(where, {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length});
  std::ranges::stable_sort(header.entries, {}, [](const TensorEntry& entry) {
    return std::pair(entry.begin, entry.end);
  });
  check_layout(where, header.entries, data.size());
  check_hashes(where, header, data);

  TensorFile content{std::move(header.metadata), {}};
  for (TensorEntry& entry : header.entries) {
    const auto part = data.subspan(entry.begin, entry.end - entry.begin);
    content.tensors.push_back(
        {std::move(entry.name), entry.dtype, std::move(entry.shape), {part.begin(), part.end()}});
  }
  return content;
}

}  // namespace omnifit::formats
