#include "core/error.hpp"
#include "latency_lut/foreign_store.hpp"
#include "latency_lut/imported_networks.hpp"
#include "latency_lut/latency_store.hpp"
#include "latency_lut/merge.hpp"
#include "latency_lut/profile_config.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/project.hpp"
#include "tests/support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;
using formats::LatencyDialect;

const space::TaskIo kIo{3, 10};

ForeignTables table(const std::string& name, const std::string& yaml,
                    LatencyDialect dialect = LatencyDialect::kOnceForAll) {
  return ForeignTables({formats::parse_latency_table(yaml, name)}, dialect);
}

constexpr const char* kAt160 =
    "conv-160:\n  count: 3\n  mean: 1.5\nblock-160:\n  mean: 2\nlast:\n  mean: 9\n";
constexpr const char* kAt224 = "conv-224:\n  mean: 2.5\nblock-224:\n  mean: 4\nlast:\n  mean: 9\n";

/// A project of the tiny space.
struct Imports {
  space::SearchSpace space = test::shipped_space("tiny");
  test::Project project{space, kIo};

  std::int64_t device(const std::string& name) {
    std::int64_t id = 0;
    project.db.write([&](SQLite::Database& sql) { id = put_device(sql, imported_device(name)); });
    return id;
  }
  void add(const std::string& name, const ForeignTables& tables) {
    const std::int64_t id = device(name);
    project.db.write([&](SQLite::Database& sql) { put_foreign_tables(sql, id, tables); });
  }
  /// Whole-network timings and, as `omnifit device import` does, a model of them.
  void add_networks(const std::string& name, double factor) {
    const std::int64_t id = device(name);
    project.db.write([&](SQLite::Database& sql) {
      put_imported_networks(sql, id,
                            std::vector<ImportedNetwork>{
                                {project.arch_id(sql, space::smallest(space)), 1.0 * factor},
                                {project.arch_id(sql, space::largest(space)), 3.0 * factor}});
      SQLite::Statement model(
          sql,
          "INSERT INTO latency_model (stage_run_id, device_id, space_id, kind, scale, offset_ms, "
          "num_fit, num_check, deviation_ms, terms) VALUES (NULL, ?, ?, 'additive', 1, ?, 2, 0, "
          "0.1, '[]')");
      model.bind(1, id);
      model.bind(2, project.space_id);
      model.bind(3, factor);
      model.exec();
    });
  }
  /// A finished profile of which half the units were estimated.
  void add_profile(const std::string& name, double factor) {
    const std::int64_t run = project.add_stage_run("profile");
    project.db.write([&](SQLite::Database& sql) {
      const std::int64_t id = put_device(sql, {name, "command", 1, "float32", "{}"});
      put_latency_model(sql, {run, id, project.space_id, {factor, 0.0, 12}, {}, "hash"});
      const auto units = space::distinct_units(space, kIo);
      put_layer_estimates(sql, run, id,
                          {{units[0], {factor, 0.1}}, {units[1], {2.0 * factor, 0.1}}});
      SQLite::Statement done(sql,
                             "UPDATE stage_run SET state = 'done', input_hash = 'same', "
                             "result_hash = ? WHERE id = ?");
      done.bind(1, fmt::format("result {}", factor));
      done.bind(2, run);
      done.exec();
    });
  }
  [[nodiscard]] store::Database open() const {
    return {project.db.path(), store::Database::Mode::kReadOnly};
  }
  MergeReport merge(const Imports& other) { return merge_devices(project.db, other.open()); }
};

/// Every row that a merge can bring, by natural keys.
std::string contents(const store::Database& db) {
  std::string text;
  db.read([&](SQLite::Database& sql) {
    for (const char* query :
         {"SELECT name || runtime FROM device ORDER BY 1",
          "SELECT d.name || t.name || dialect || position || key || mean_ms || fields FROM "
          "foreign_latency l JOIN foreign_table t ON t.id = table_id JOIN device d ON d.id = "
          "device_id ORDER BY 1",
          "SELECT d.name || a.text || purpose || median_ms FROM network_latency JOIN device d ON "
          "d.id = device_id JOIN arch a ON a.id = arch_id ORDER BY 1",
          "SELECT d.name || kind || scale || ' ' || offset_ms || ' ' || num_fit FROM latency_model "
          "JOIN device d ON d.id = device_id ORDER BY 1",
          "SELECT d.name || spec || time_ms || ' ' || e.deviation_ms FROM layer_estimate e JOIN "
          "latency_model m ON m.id = latency_model_id JOIN device d ON d.id = device_id ORDER BY "
          "1"}) {
      SQLite::Statement rows(sql, query);
      while (rows.executeStep()) text += rows.getColumn(0).getString() + "\n";
    }
  });
  return text;
}

void check_unchanged_by_another_merge(Imports& mine, const Imports& theirs) {
  const std::string once = contents(mine.project.db);
  const MergeReport again = mine.merge(theirs);
  for (const auto& [name, count] : again.tables) {
    CAPTURE(name);
    CHECK(count.added == 0);
  }
  CHECK(contents(mine.project.db) == once);
}

}  // namespace

TEST_CASE("A merge brings in tables of other systems, timings and their models",
          "[latency][unit]") {
  Imports theirs;
  theirs.add("note10", table("160.yaml", kAt160));
  theirs.add("note10", table("224.yaml", kAt224));
  theirs.add_networks("gpu", 1.0);
  theirs.add_profile("phone", 2.0);
  Imports mine;
  const MergeReport report = mine.merge(theirs);
  CHECK(report.num_conflicts() == 0);
  CHECK(report.tables.at("foreign_table").added == 2);
  CHECK(report.tables.at("foreign_latency").added == 6);
  CHECK(report.tables.at("network_latency").added == 2);
  CHECK(report.tables.at("latency_model").added == 2);
  CHECK(report.tables.at("layer_estimate").added == 2);
  CHECK(contents(mine.project.db) == contents(theirs.project.db));
  mine.project.db.read([&](SQLite::Database& sql) {
    const auto tables = get_foreign_tables(sql, find_imported_device(sql, "note10").value());
    REQUIRE(tables->tables().size() == 2);
    CHECK(formats::latency_table_text(tables->tables()[0]) == kAt160);
    const auto gpu = find_imported_device(sql, "gpu").value();
    CHECK(get_imported_networks(sql, gpu, mine.project.space_id, mine.space).ms ==
          std::vector<double>{1.0, 3.0});
  });
  check_unchanged_by_another_merge(mine, theirs);
}

TEST_CASE("Tables of a device that both files know are joined", "[latency][unit]") {
  Imports mine;
  mine.add("note10", table("160.yaml", kAt160));
  Imports theirs;
  theirs.add("note10", table("224.yaml", kAt224));
  const MergeReport report = mine.merge(theirs);
  CHECK(report.num_conflicts() == 0);
  CHECK(mine.project.count("foreign_table") == 2);
  check_unchanged_by_another_merge(mine, theirs);
}

TEST_CASE("A table that the project has stays as it is, and differences are listed",
          "[latency][unit]") {
  Imports mine;
  mine.add("note10", table("160.yaml", kAt160));
  mine.add_networks("gpu", 1.0);
  mine.add_profile("phone", 1.0);
  const std::string before = contents(mine.project.db);
  Imports theirs;
  theirs.add("note10",
             table("160.yaml", "conv-160:\n  count: 3\n  mean: 1.75\nmore:\n  mean: 2\n"));
  theirs.add_networks("gpu", 2.0);
  theirs.add_profile("phone", 2.0);
  const MergeReport report = mine.merge(theirs);
  CHECK(contents(mine.project.db) == before);
  CHECK(report.tables.at("foreign_latency").conflicting == 2);
  CHECK(report.tables.at("foreign_latency").added == 0);
  CHECK(report.tables.at("network_latency").conflicting == 2);
  const std::string lines = fmt::format("{}", fmt::join(report.conflicts, "\n"));
  CHECK_THAT(lines, ContainsSubstring("foreign_latency note10 160.yaml conv-160: "));
  CHECK_THAT(lines, ContainsSubstring("foreign_latency note10 160.yaml more: is in the other file "
                                      "alone and stays out"));
  CHECK_THAT(lines, ContainsSubstring("network_latency gpu imported "));
  CHECK_THAT(lines, ContainsSubstring("latency_model gpu additive: offset_ms 1 stays, not 2"));
  // Another result of the same profile: its model and estimates do not belong to this one.
  CHECK_THAT(lines, ContainsSubstring("stage_run profile same: result_hash "));
  CHECK(report.tables.at("layer_estimate").added == 0);
  check_unchanged_by_another_merge(mine, theirs);
}

TEST_CASE("A table that does not go with those of its device stays out", "[latency][error]") {
  Imports mine;
  mine.add("note10", table("160.yaml", kAt160));
  const std::string before = contents(mine.project.db);
  Imports other_dialect;
  other_dialect.add("note10", table("224.yaml", kAt224, LatencyDialect::kNsgaNetV2));
  const MergeReport report = mine.merge(other_dialect);
  CHECK(report.tables.at("foreign_table").conflicting == 1);
  REQUIRE(report.conflicts.size() == 1);
  CHECK(
      report.conflicts.front() ==
      "foreign_table note10 224.yaml: is in the dialect nsganetv2 and stays out: '160.yaml' is in "
      "once_for_all");
  Imports same_resolution;
  same_resolution.add("note10", table("again.yaml", kAt160));
  CHECK(mine.merge(same_resolution).conflicts ==
        std::vector<std::string>{
            "foreign_table note10 again.yaml: stays out: '160.yaml' has 3 of its 3 keys"});
  CHECK(contents(mine.project.db) == before);
}

TEST_CASE("A merge that fails half-way leaves nothing behind", "[latency][error]") {
  Imports theirs;
  theirs.add("note10", table("160.yaml", kAt160));
  theirs.add_networks("gpu", 1.0);
  Imports mine;
  mine.add("pixel1", table("224.yaml", kAt224));
  const std::string before = contents(mine.project.db);
  // The models come last.
  mine.project.db.write([](SQLite::Database& sql) {
    sql.exec(
        "CREATE TRIGGER full BEFORE INSERT ON latency_model BEGIN SELECT RAISE(ABORT, "
        "'no room'); END");
  });
  CHECK_THROWS_WITH(mine.merge(theirs), ContainsSubstring("no room"));
  CHECK(contents(mine.project.db) == before);
  mine.project.db.write([](SQLite::Database& sql) { sql.exec("DROP TRIGGER full"); });
  CHECK(mine.merge(theirs).tables.at("latency_model").added == 1);
}

TEST_CASE("A merge that is killed leaves nothing behind; meanwhile the project is locked",
          "[latency][error]") {
  using Mode = store::Database::Mode;
  const test::TempDir folder;
  const auto mine = folder / "mine.db";
  const auto theirs = folder / "theirs.db";
  {
    // No connection may be open when the process forks.
    Imports other;
    other.add("note10", table("160.yaml", kAt160));
    other.add_networks("gpu", 1.0);
    other.open().backup(theirs);
    Imports own;
    own.add("pixel1", table("224.yaml", kAt224));
    // The models come last, and then it takes for ever.
    own.project.db.write([](SQLite::Database& sql) {
      sql.exec(
          "CREATE TRIGGER slow BEFORE INSERT ON latency_model BEGIN SELECT (WITH RECURSIVE "
          "n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n); END");
    });
    own.open().backup(mine);
  }
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    store::Database db(mine, Mode::kReadWrite);
    merge_devices(db, store::Database(theirs, Mode::kReadOnly));
    _exit(0);
  }
  const store::Database other(theirs, Mode::kReadOnly);
  const auto is_locked = [&] {
    try {
      store::Database db(mine, Mode::kReadWrite, {.busy_timeout_ms = 0});
      db.write([](SQLite::Database&) {});
      return false;
    } catch (const EnvironmentError&) {
      return true;
    }
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!is_locked() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  // From the lock on the child needs a moment for the rows before the models.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  {
    store::Database locked(mine, Mode::kReadWrite, {.busy_timeout_ms = 20});
    CHECK_THROWS_AS(merge_devices(locked, other), EnvironmentError);
    CHECK_THROWS_WITH(merge_devices(locked, other), ContainsSubstring("mine.db"));
  }
  CHECK(::kill(child, SIGKILL) == 0);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));

  store::Database db(mine, Mode::kReadWrite);
  CHECK(db.check().empty());
  CHECK_THAT(contents(db), !ContainsSubstring("note10") && !ContainsSubstring("gpu"));
  CHECK_THAT(contents(db), ContainsSubstring("pixel1"));
  db.write([](SQLite::Database& sql) { sql.exec("DROP TRIGGER slow"); });
  CHECK(merge_devices(db, other).tables.at("foreign_latency").added == 3);
  CHECK_THAT(contents(db), ContainsSubstring("note10") && ContainsSubstring("gpu"));
}

TEST_CASE("A damaged file and one of another version bring nothing in", "[latency][error]") {
  using Mode = store::Database::Mode;
  Imports mine;
  mine.add("pixel1", table("224.yaml", kAt224));
  const std::string before = contents(mine.project.db);
  const test::TempDir folder;
  {
    Imports other;
    std::string yaml;
    for (int i = 0; i < 2000; ++i) yaml += fmt::format("unit-{}:\n  mean: {}\n", i, i + 1);
    other.add("note10", table("160.yaml", yaml));
    other.open().backup(folder / "damaged.db");
    other.open().backup(folder / "newer.db");
    other.open().backup(folder / "older.db");
  }
  {
    std::fstream file(folder / "damaged.db", std::ios::in | std::ios::out | std::ios::binary);
    const auto size = std::filesystem::file_size(folder / "damaged.db");
    REQUIRE(size > 80'000);
    file.seekp(static_cast<std::streamoff>(size / 2));
    file << std::string(static_cast<std::size_t>(size / 2) - 4096, '\xff');
  }
  const auto set_version = [&](const char* name, int version) {
    SQLite::Database sql((folder / name).string(), SQLite::OPEN_READWRITE);
    sql.exec(fmt::format("PRAGMA user_version = {}", version));
  };
  set_version("newer.db", store::schema_version() + 1);
  set_version("older.db", store::schema_version() - 1);
  const auto merge = [&](const char* name) {
    return merge_devices(mine.project.db, store::Database(folder / name, Mode::kReadOnly));
  };
  CHECK_THROWS_AS(merge("damaged.db"), DataError);
  CHECK_THROWS_WITH(merge("damaged.db"), ContainsSubstring("damaged.db"));
  CHECK_THROWS_AS(merge("newer.db"), DataError);
  CHECK_THROWS_WITH(merge("newer.db"), ContainsSubstring("newer"));
  CHECK_THROWS_AS(merge("older.db"), DataError);
  CHECK_THROWS_AS(merge("missing.db"), DataError);
  CHECK(contents(mine.project.db) == before);
}

}  // namespace omnifit::latency
