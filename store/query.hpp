#pragma once

#include <string>
#include <vector>

namespace omnifit::store {

class Database;

/// What a SELECT gave, every value as text; NULL is "".
struct QueryResult {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Runs one SELECT of a user. Nothing can be changed through it.
/// @throws ConfigError "<sql>: …" if the SQL is wrong, is not exactly one statement or would write;
/// as Database::read.
QueryResult query(const Database& database, const std::string& sql);

}  // namespace omnifit::store
