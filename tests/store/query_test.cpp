#include "store/query.hpp"

#include "core/error.hpp"
#include "store/database.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <string>
#include <vector>

namespace omnifit::store {
namespace {

using Catch::Matchers::ContainsSubstring;

}  // namespace

TEST_CASE("a query gives names and text", "[store][unit]") {
  const test::TempDir dir;
  const Database database(dir / "p.omnifit", Database::Mode::kReadWrite);
  const QueryResult result =
      query(database,
            "SELECT 1 AS one, 0.5 AS half, NULL AS empty UNION ALL SELECT 2, 'x', x'41'; -- done");
  CHECK(result.columns == std::vector<std::string>{"one", "half", "empty"});
  CHECK(result.rows == std::vector<std::vector<std::string>>{{"1", "0.5", ""}, {"2", "x", "A"}});
}

TEST_CASE("a query's mistakes are the user's", "[store][error]") {
  const test::TempDir dir;
  const Database database(dir / "p.omnifit", Database::Mode::kReadWrite);
  const auto [sql, message] = GENERATE(table<std::string, std::string>({
      {"SELECT missing FROM space", "<sql>: no such column: missing"},
      {"SELEC 1", "syntax error"},
      {"", "no statement given"},
      {" -- only a comment", "no statement given"},
      {"SELECT 1; SELECT 2", "more than one statement"},
      {"DELETE FROM space", "only a SELECT is allowed"},
      {"PRAGMA user_version = 7", "only a SELECT is allowed"},
      {"SELECT abs(-9223372036854775808)", "integer overflow"},
  }));
  CAPTURE(sql);
  CHECK_THROWS_AS(query(database, sql), ConfigError);
  CHECK_THROWS_WITH(query(database, sql), ContainsSubstring(message));
}

}  // namespace omnifit::store
