#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::core {

/// A path as text for messages and reports: UTF-8; bytes that are not are written as \xNN.
std::string path_text(const std::filesystem::path& path);

/// The folder that relative paths start from. @throws EnvironmentError if it was removed or may not
/// be entered.
std::filesystem::path working_folder();

/// Whole file. @throws DataError "PATH: …" if missing, not a regular file or unreadable, or larger
/// than `max_bytes`.
std::vector<std::byte> read_file(const std::filesystem::path& file,
                                 std::uint64_t max_bytes = UINT64_MAX);
std::string read_text_file(const std::filesystem::path& file, std::uint64_t max_bytes = UINT64_MAX);

/// Decompresses a gzip file (a file without the gzip magic is returned as it is). Checks CRC and
/// length.
/// @throws DataError if truncated, corrupt, or larger than `max_bytes` once unpacked.
std::vector<std::byte> read_gzip_file(const std::filesystem::path& file, std::uint64_t max_bytes);

/// Writes next to `file`, syncs, renames: readers see the old or the new content, never a torn one.
/// Permissions of an old file stay, a symbolic link is followed. A process that is killed meanwhile
/// leaves its temporary file behind, named ".NAME.tmp-PID-N", which nobody reads.
/// @throws EnvironmentError (disk full, permission …); the old file is then untouched.
void write_file_atomically(const std::filesystem::path& file, std::span<const std::byte> bytes);
void write_file_atomically(const std::filesystem::path& file, std::string_view text);

/// As above for content that some library writes itself: `write(temporary)` fills the temporary
/// file.
void write_file_atomically(const std::filesystem::path& file,
                           const std::function<void(const std::filesystem::path&)>& write);

}  // namespace omnifit::core
