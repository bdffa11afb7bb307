#include "store/detail/migrations.hpp"
#include "tests/support/catch.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

namespace omnifit::store {

TEST_CASE("fitted predictors and their checks survive the upgrade of their tables",
          "[store][unit]") {
  SQLite::Database sql(":memory:", SQLite::OPEN_READWRITE);
  sql.exec("PRAGMA foreign_keys = ON");
  const auto& all = detail::migrations();
  REQUIRE(all.size() >= 5);
  detail::migrate(sql, all.first(4));
  sql.exec(
      "INSERT INTO space VALUES (1, 'f', 'tiny', 1, 'mbconv', ''); "
      "INSERT INTO job VALUES (1, 'h', '', '', '', '', '', '{}', 'now'); "
      "INSERT INTO stage_run (id, job_id, stage, input_hash, state, started_at) "
      "VALUES (3, 1, 'fit', 'a', 'done', 'now'); "
      "INSERT INTO arch VALUES (1, 1, 3, 10, 'text', '{}', 16, 1, 1, 1, 1); "
      "INSERT INTO predictor VALUES (7, 3, 1, 'ridge', 'v1', x'00', 80, 20, 0.8, 0.9, 0.1, 0.2); "
      "INSERT INTO predictor_check VALUES (7, 1, 0.5, 0.75);");
  CHECK(detail::migrate(sql, all));
  CHECK(sql.execAndGet("SELECT kind || num_train || kendall_tau || source FROM predictor "
                       "WHERE id = 7 AND stage_run_id = 3 AND prior IS NULL")
            .getString() == "ridge800.8");
  CHECK(sql.execAndGet("SELECT measured_top1 FROM predictor_check WHERE predictor_id = 7")
            .getDouble() == 0.75);
  sql.exec("DELETE FROM stage_run WHERE id = 3");
  CHECK(sql.execAndGet("SELECT count(*) FROM predictor_check").getInt() == 0);
}

}  // namespace omnifit::store
