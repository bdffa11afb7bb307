#pragma once

#include <span>

namespace SQLite {
class Database;
}

namespace omnifit::store::detail {

/// PRAGMA application_id of a project file: "OMFT".
inline constexpr int kApplicationId = 0x4F4D4654;

/// One step of the schema: the SQL that leads from `version` - 1 to `version`.
struct Migration {
  int version = 0;
  const char* name = "";
  const char* sql = "";
};

/// The files of store/migrations, ascending from version 1 without gaps.
std::span<const Migration> migrations();

/// Applies what `sql` still lacks of `steps`, each in one transaction together with its
/// user_version, so that a kill leaves the file at a version. Safe against another process that
/// migrates at the same time.
/// @return whether anything was applied.
bool migrate(SQLite::Database& sql, std::span<const Migration> steps);

}  // namespace omnifit::store::detail
