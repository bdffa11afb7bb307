#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

namespace SQLite {
class Database;
}

namespace omnifit::store::detail {

/// Which file a path leads to right now.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;  ///< 0 if there is no file
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};
FileIdentity identify(const std::filesystem::path& file);

/// Whether several processes may not share memory through files of a file system with this statfs
/// magic number: network and user-space file systems. WAL then needs exclusive locking.
bool is_network_filesystem(std::uint32_t magic);
/// The same for the file system that holds `folder`.
bool is_on_network_filesystem(const std::filesystem::path& folder);

/// Whether this process may create files in `folder` (effective user).
bool is_writable(const std::filesystem::path& folder);

struct ConnectionOptions {
  bool writable = true;
  bool exclusive = false;  ///< keep the lock and no shared memory, as a network file system needs
  int busy_timeout_ms = 10'000;
};

/// Opens an existing or (writable) new database with our settings: WAL, foreign keys, full
/// synchronisation.
/// @throws SQLite::Exception; EnvironmentError if the file or folder is not writable but should be,
/// or WAL is not possible.
std::unique_ptr<SQLite::Database> connect(const std::filesystem::path& file,
                                          const ConnectionOptions& options);

}  // namespace omnifit::store::detail
