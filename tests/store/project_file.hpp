#pragma once

#include "store/arch_rows.hpp"
#include "store/database.hpp"

#include <SQLiteCpp/Database.h>

#include <filesystem>
#include <string>

namespace omnifit::test {

/// Who waits for a lock only shortly.
inline constexpr store::Database::Options kImpatient{.busy_timeout_ms = 50};

/// A space by its natural key.
inline store::SpaceRow space_row(const std::string& fingerprint = "0123456789abcdef") {
  return {.fingerprint = fingerprint,
          .name = "tiny",
          .version = 1,
          .family = "mbconv",
          .yaml = "name: tiny\n"};
}

inline void add_space(store::Database& database, const std::string& fingerprint) {
  database.write([&](SQLite::Database& sql) { store::put_space(sql, space_row(fingerprint)); });
}

inline int count_spaces(const store::Database& database) {
  int count = -1;
  database.read([&](SQLite::Database& sql) {
    count = sql.execAndGet("SELECT count(*) FROM space").getInt();
  });
  return count;
}

/// Opens a project file to be written, and makes one where there is none.
inline store::Database create(const std::filesystem::path& file) {
  return store::Database(file, store::Database::Mode::kReadWrite, kImpatient);
}
inline store::Database open_read_only(const std::filesystem::path& file) {
  return store::Database(file, store::Database::Mode::kReadOnly, kImpatient);
}

}  // namespace omnifit::test
