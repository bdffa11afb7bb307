#include "store/detail/sqlite_errors.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

namespace omnifit::store::detail {

void throw_translated(const SQLite::Exception& error, const std::filesystem::path& file) {
  const std::string where = core::path_text(file);
  switch (error.getErrorCode() & 0xff) {
    case SQLITE_FULL:
      throw EnvironmentError(
          fmt::format("{}: the disk is full; nothing of the last step was stored; free some space "
                      "and run the same command again",
                      where));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw EnvironmentError(
          fmt::format("{}: locked by another program; close it (an sqlite3 shell, a database "
                      "viewer, another run) and run the same command again",
                      where));
    case SQLITE_READONLY:
    case SQLITE_PERM:
      throw EnvironmentError(
          fmt::format("{}: not writable ({}); check the permissions of the file and of its folder",
                      where, error.what()));
    case SQLITE_CANTOPEN:
      throw EnvironmentError(fmt::format(
          "{}: cannot be opened ({}); check the permissions of the file, of its -wal and "
          "-shm companions and of its folder",
          where, error.what()));
    case SQLITE_IOERR:
      throw EnvironmentError(fmt::format(
          "{}: input or output error ({}); check the disk, then run the same command again", where,
          sqlite3_errstr(error.getExtendedErrorCode())));
    case SQLITE_NOTADB:
      throw DataError(fmt::format("{}: not an SQLite database, so not a project file", where));
    case SQLITE_CORRUPT:
      throw DataError(fmt::format(
          "{}: the project file is damaged ({}); restore a backup, or save what is readable with "
          "the sqlite3 shell's .recover",
          where, error.what()));
    default:
      throw BugError(fmt::format("{}: SQLite: {} (code {})", where, error.what(),
                                 error.getExtendedErrorCode()));
  }
}

}  // namespace omnifit::store::detail
