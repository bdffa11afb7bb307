#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace omnifit::core {

/// Stable 64-bit hash (XXH64, seed 0) of bytes; equal on every platform and in every version.
std::uint64_t stable_hash(std::span<const std::byte> bytes);
std::uint64_t stable_hash(std::string_view text);

/// 16 lower-case hex digits; how 64-bit hashes appear in text and in the project file.
std::string hex64(std::uint64_t value);
/// Inverse of hex64. @throws DataError on anything else.
std::uint64_t parse_hex64(std::string_view text);

/// SHA-256 in lower-case hex, for files and content whose equality must be beyond doubt.
std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);
/// @throws EnvironmentError if the file cannot be read.
std::string sha256_file(const std::filesystem::path& file);

}  // namespace omnifit::core
