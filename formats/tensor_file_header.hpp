#pragma once

#include "formats/tensor_file.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// The JSON header of a tensor file, apart from the data section. For the sources of this folder
/// alone.
namespace omnifit::formats {

/// Far above any network of this project (about 100 bytes a tensor), far below what hurts.
constexpr std::uint64_t kMaxHeaderBytes = 16U << 20U;

constexpr std::string_view kMetadataKey = "__metadata__";
constexpr std::string_view kDataHashKey = "sha256";
constexpr std::string_view kHeaderHashKey = "header_sha256";

/// "F32", "F64", "I64", "U8", …: as safetensors names them.
const char* dtype_name(DType dtype);
/// Bytes of one element.
std::uint64_t dtype_bytes(DType dtype);
/// "[8, 3, 3, 3]".
std::string shape_text(const std::vector<std::int64_t>& shape);

/// Text of foreign origin on one line of a message: in single quotes, escaped as in JSON, cut if
/// long.
std::string shown_text(std::string_view text);

/// One tensor as the header describes it; offsets count from the start of the data section.
struct TensorEntry {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct TensorFileHeader {
  std::map<std::string, std::string> metadata;
  std::vector<TensorEntry> entries;  ///< in the order of the header
};

/// Compact JSON, metadata first, tensors in order. @pre all text is UTF-8
std::string header_text(const TensorFileHeader& header);

/// Reads exactly the structure of the format; memory use is linear in the text, whatever it holds.
/// @throws DataError "WHERE: header: …": not JSON, nested too deep, unknown or repeated keys,
/// unknown dtype, numbers that are no sizes.
TensorFileHeader parse_header(const std::string& where, std::string_view text);

}  // namespace omnifit::formats
