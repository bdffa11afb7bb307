#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

/// The zip container of PyTorch files: stored entries only. For the sources of this folder alone.
namespace omnifit::formats {

/// Name → content, which points into the file.
using ZipEntries = std::map<std::string_view, std::span<const std::byte>>;

/// Lists a zip archive, zip64 included, and checks every entry's CRC. Nothing is unpacked, so no
/// entry can be larger than the file.
/// @throws DataError "WHERE: …": no end record, truncated, several disks, encrypted, compressed or
/// repeated entries, entries that overlap or do not lie in the file, wrong CRC.
ZipEntries read_zip(const std::string& where, std::span<const std::byte> bytes);

}  // namespace omnifit::formats
