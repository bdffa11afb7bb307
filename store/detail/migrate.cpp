#include "store/detail/migrations.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

namespace omnifit::store::detail {

bool migrate(SQLite::Database& sql, std::span<const Migration> steps) {
  bool applied = false;
  for (const Migration& step : steps) {
    if (sql.execAndGet("PRAGMA user_version").getInt() >= step.version) continue;
    SQLite::Transaction transaction(sql, SQLite::TransactionBehavior::IMMEDIATE);
    // Another process may have been faster between the look above and the lock.
    if (sql.execAndGet("PRAGMA user_version").getInt() >= step.version) continue;
    sql.exec(step.sql);
    sql.exec(fmt::format("PRAGMA user_version = {}", step.version));
    sql.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
    transaction.commit();
    applied = true;
  }
  return applied;
}

}  // namespace omnifit::store::detail
