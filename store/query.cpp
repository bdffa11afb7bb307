#include "store/query.hpp"

#include "core/error.hpp"
#include "store/database.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <memory>

namespace omnifit::store {
namespace {

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, Finalize>;

/// @return the compiled statement (null for blanks and comments); `rest` is moved behind it.
StatementHandle compile(SQLite::Database& sql, const char*& rest) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(sql.getHandle(), rest, -1, &statement, &rest);
  if (code == SQLITE_ERROR) throw ConfigError(fmt::format("<sql>: {}", sql.getErrorMsg()));
  sql.check(code);
  return StatementHandle(statement);
}

StatementHandle compile_single(SQLite::Database& sql, const std::string& text) {
  const char* rest = text.c_str();
  StatementHandle statement = compile(sql, rest);
  if (!statement) throw ConfigError("<sql>: no statement given");
  if (compile(sql, rest))
    throw ConfigError("<sql>: more than one statement given, allowed is one SELECT");
  if (sqlite3_stmt_readonly(statement.get()) == 0 || sqlite3_column_count(statement.get()) == 0) {
    throw ConfigError("<sql>: only a SELECT is allowed, nothing that changes the project file");
  }
  return statement;
}

}  // namespace

QueryResult query(const Database& database, const std::string& sql) {
  QueryResult result;
  database.read([&](SQLite::Database& connection) {
    const StatementHandle statement = compile_single(connection, sql);
    const int columns = sqlite3_column_count(statement.get());
    for (int i = 0; i < columns; ++i)
      result.columns.emplace_back(sqlite3_column_name(statement.get(), i));
    int code = sqlite3_step(statement.get());
    for (; code == SQLITE_ROW; code = sqlite3_step(statement.get())) {
      auto& row = result.rows.emplace_back();
      for (int i = 0; i < columns; ++i) {
        const unsigned char* text = sqlite3_column_text(statement.get(), i);
        row.emplace_back(text == nullptr ? "" : reinterpret_cast<const char*>(text));
      }
    }
    if (code == SQLITE_ERROR) throw ConfigError(fmt::format("<sql>: {}", connection.getErrorMsg()));
    if (code != SQLITE_DONE) connection.check(code);
  });
  return result;
}

}  // namespace omnifit::store
