#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace omnifit::formats {

/// Element types. The network's own tensors are float32 and int64; the others come in with foreign
/// files.
enum class DType {
  kFloat32,
  kFloat64,
  kFloat16,
  kBFloat16,
  kInt64,
  kInt32,
  kInt16,
  kInt8,
  kUInt8,
  kBool
};

/// A dense row-major tensor in plain memory, little-endian.
struct NamedTensor {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;

  [[nodiscard]] std::int64_t count() const;             ///< product of the shape
  [[nodiscard]] std::span<const float> floats() const;  ///< @pre dtype is kFloat32
  static NamedTensor from_floats(std::string name, std::vector<std::int64_t> shape,
                                 std::span<const float> values);
  /// The same values as float32, rounded to nearest; exact for the smaller floating types and for
  /// integers up to 2^24.
  [[nodiscard]] NamedTensor to_float32() const;
};

/// Named tensors plus text metadata, stored in the safetensors container (8-byte header length,
/// JSON header, raw data), which Python reads with `safetensors` and which cannot carry code.
/// omnifit adds the metadata keys `sha256` of the data section and `header_sha256` of the rest of
/// the header, so that every torn or altered byte is noticed. They belong to the container: reading
/// checks and removes them. A foreign file with neither is accepted.
struct TensorFile {
  std::map<std::string, std::string> metadata;
  std::vector<NamedTensor> tensors;

  [[nodiscard]] const NamedTensor* find(std::string_view name) const;
};

/// Atomic write; same content, same bytes. @throws EnvironmentError (disk full, permission);
/// DataError if metadata is not UTF-8; std::invalid_argument for duplicate names, data that do not
/// fit the shape, or a reserved metadata key.
void write_tensor_file(const std::filesystem::path& file, const TensorFile& content);
/// @throws DataError "PATH: …": missing, truncated, header too large or not JSON, unknown dtype,
/// offsets that overlap, leave gaps or exceed the file, shape and size that differ, duplicate
/// names, wrong sha256.
TensorFile read_tensor_file(const std::filesystem::path& file);

}  // namespace omnifit::formats
