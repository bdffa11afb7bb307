#include "store/detail/connection.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <SQLiteCpp/Database.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <system_error>

namespace omnifit::store::detail {
namespace {

/// A "file:" URI of an absolute path; everything that is special in a URI is percent-encoded.
std::string file_uri(const std::filesystem::path& file, std::string_view query) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._~";
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(file).string()) {
    if (kPlain.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      uri += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  uri += '?';
  uri += query;
  return uri;
}

/// Whether SQLite left something beside the file: with "-wal" commits that are not in it yet, with
/// "-journal" a change that was killed half-way (before a file is in WAL mode) and must be undone.
bool has_pending(const std::filesystem::path& file, const char* suffix) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file.string() + suffix, error);
  return !error && size > 0;
}

std::unique_ptr<SQLite::Database> connect_read_only(const std::filesystem::path& file,
                                                    const ConnectionOptions& options) {
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  const bool half_changed = has_pending(file, "-journal");
  if (!is_writable(folder) && !has_pending(file, "-wal") && !half_changed) {
    // Nobody can be writing here, and SQLite could not create its companions.
    return std::make_unique<SQLite::Database>(file_uri(file, "immutable=1"),
                                              SQLite::OPEN_READONLY | SQLite::OPEN_URI,
                                              options.busy_timeout_ms);
  }
  // The exclusive lock of a network file system is a write lock, which a read-only descriptor
  // cannot take. Nor can it undo what a killed process left half-done, which every reader must.
  const bool must_write = options.exclusive || half_changed;
  const int flags = must_write ? SQLite::OPEN_READWRITE : SQLite::OPEN_READONLY;
  auto sql = std::make_unique<SQLite::Database>(file.string(), flags, options.busy_timeout_ms);
  if (options.exclusive) sql->exec("PRAGMA locking_mode = EXCLUSIVE");
  return sql;
}

std::unique_ptr<SQLite::Database> connect_writable(const std::filesystem::path& file,
                                                   const ConnectionOptions& options) {
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  if (!is_writable(folder)) {
    throw EnvironmentError(fmt::format(
        "{}: the folder {} is not writable; copy the project to a folder you may write to",
        core::path_text(file), core::path_text(folder)));
  }
  auto sql = std::make_unique<SQLite::Database>(
      file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, options.busy_timeout_ms);
  if (sqlite3_db_readonly(sql->getHandle(), "main") == 1) {
    throw EnvironmentError(
        fmt::format("{}: the file is write-protected; change its permissions or copy the project",
                    core::path_text(file)));
  }
  if (options.exclusive) sql->exec("PRAGMA locking_mode = EXCLUSIVE");
  const std::string journal = sql->execAndGet("PRAGMA journal_mode = WAL").getString();
  if (journal != "wal") {
    throw EnvironmentError(fmt::format(
        "{}: this file system cannot hold a write-ahead log (journal mode '{}'); put the "
        "project on a local disk",
        core::path_text(file), journal));
  }
  // A commit survives a power loss, not only a kill.
  sql->exec("PRAGMA synchronous = FULL");
  return sql;
}

}  // namespace

FileIdentity identify(const std::filesystem::path& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return {};
  return {.device = static_cast<std::uint64_t>(status.st_dev),
          .inode = static_cast<std::uint64_t>(status.st_ino)};
}

bool is_network_filesystem(std::uint32_t magic) {
  constexpr std::array<std::uint32_t, 9> kMagics = {
      0x6969,      // NFS
      0x517B,      // SMB
      0xFE534D42,  // SMB2
      0xFF534D42,  // CIFS
      0x65735546,  // FUSE (sshfs, s3fs, …)
      0x01021997,  // 9p
      0x5346414F,  // AFS
      0x00C36400,  // Ceph
      0x0BD00BD0,  // Lustre
  };
  return std::find(kMagics.begin(), kMagics.end(), magic) != kMagics.end();
}

bool is_on_network_filesystem(const std::filesystem::path& folder) {
  struct statfs status {};
  if (statfs(folder.c_str(), &status) != 0) return false;
  return is_network_filesystem(static_cast<std::uint32_t>(status.f_type));
}

bool is_writable(const std::filesystem::path& folder) {
  return faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

std::unique_ptr<SQLite::Database> connect(const std::filesystem::path& file,
                                          const ConnectionOptions& options) {
  auto sql = options.writable ? connect_writable(file, options) : connect_read_only(file, options);
  sql->exec("PRAGMA foreign_keys = ON");
  return sql;
}

}  // namespace omnifit::store::detail
