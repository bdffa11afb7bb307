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

  /// Opens or (read-write) creates `file`, checks application_id and user_version, migrates an
  /// older file in one transaction.
  /// @throws DataError if it is not a project file, is corrupt or was written by a newer omnifit;
  /// EnvironmentError if the folder is not writable, the disk is full or another program holds the
  /// database.
  Database(std::filesystem::path file, Mode mode);
  ~Database();
  Database(Database&&) noexcept;

  [[nodiscard]] const std::filesystem::path& path() const;
  /// The folder that relative paths inside the project file are relative to.
  [[nodiscard]] std::filesystem::path folder() const;

  /// Runs `body` in one IMMEDIATE transaction: all of it or nothing.
  void write(const std::function<void(SQLite::Database&)>& body);
  /// Runs `body` on a consistent snapshot.
  void read(const std::function<void(SQLite::Database&)>& body) const;

  /// Problems found by SQLite's integrity and foreign-key checks, and by comparing recorded files
  /// (checkpoint, export) with the disk (missing, other size, other sha256); empty if all is well.
  [[nodiscard]] std::vector<std::string> check() const;
  /// A consistent copy while others may be writing.
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
