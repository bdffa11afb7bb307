#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace SQLite {
class Database;
}

namespace omnifit::store {

/// The project file: one SQLite database (WAL, foreign keys, STRICT tables). Every access goes
/// through `read` or `write`, which serialise threads and translate SQLite's errors into
/// EnvironmentError (disk full, locked, read-only) and DataError (corrupt, not a database).
class Database {
 public:
  enum class Mode { kReadWrite, kReadOnly };

  struct Options {
    int busy_timeout_ms = 10'000;  ///< how long to wait for another program's lock
    /// Keep the file to this process and do without shared memory. Chosen by itself on network and
    /// user-space file systems, where WAL has none; other programs then get "locked" while the
    /// project is open.
    bool exclusive = false;
  };

  /// Opens or (read-write) creates `file`, checks application_id and user_version, migrates an
  /// older file, each version in one transaction. Commits survive a kill and a loss of power.
  /// @throws DataError if it is missing, not a project file, corrupt, of an older format
  /// (read-only) or was written by a newer omnifit; EnvironmentError if the folder is not writable,
  /// the disk is full or another program holds the database.
  Database(std::filesystem::path file, Mode mode);
  Database(std::filesystem::path file, Mode mode, const Options& options);
  ~Database();
  Database(Database&&) noexcept;

  [[nodiscard]] const std::filesystem::path& path() const;
  /// The folder that relative paths inside the project file are relative to.
  [[nodiscard]] std::filesystem::path folder() const;

  /// Runs `body` in one IMMEDIATE transaction: all of it or nothing, also if `body` throws. Any
  /// thread; not from within another `read` or `write` of the same object.
  /// @throws EnvironmentError, also if the file was deleted or replaced since it was opened;
  /// DataError; BugError for wrong SQL.
  void write(const std::function<void(SQLite::Database&)>& body);
  /// Runs `body` on a consistent snapshot, in which it cannot change anything.
  void read(const std::function<void(SQLite::Database&)>& body) const;

  /// Problems found by SQLite's integrity and foreign-key checks, and by comparing recorded files
  /// (checkpoint, export) with the disk (missing, other size, other sha256); empty if all is well.
  [[nodiscard]] std::vector<std::string> check() const;
  /// A consistent copy while others may be writing, complete or absent after a kill.
  /// @throws StateError if `to` exists; EnvironmentError.
  void backup(const std::filesystem::path& to) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The project format this build reads and writes (PRAGMA user_version).
int schema_version();

/// Held by the one run that may write a project; released when destroyed or when the process dies.
class ProjectLock {
 public:
  /// @throws StateError saying which process on which host holds it, since when and with what
  /// command.
  ProjectLock(const std::filesystem::path& project_file, const std::string& command);
  ~ProjectLock();
  ProjectLock(const ProjectLock&) = delete;
  ProjectLock& operator=(const ProjectLock&) = delete;

 private:
  int descriptor_ = -1;
  std::filesystem::path file_;
};

}  // namespace omnifit::store
