#include "store/database.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "store/arch_rows.hpp"
#include "store/detail/connection.hpp"
#include "store/detail/migrations.hpp"
#include "store/detail/sqlite_errors.hpp"
#include "tests/store/project_file.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <sqlite3.h>

#include <array>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace omnifit::store {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::add_space;
using test::count_spaces;
using test::create;
using test::open_read_only;
using test::space_row;
using test::TempDir;
namespace fs = std::filesystem;

}  // namespace

TEST_CASE("a new project file has our settings and survives reopening", "[store][unit]") {
  const TempDir dir;
  {
    Database database = create(dir / "p.omnifit");
    add_space(database, "a");
    database.write([](SQLite::Database& sql) {
      CHECK(sql.execAndGet("PRAGMA application_id").getInt() == detail::kApplicationId);
      CHECK(sql.execAndGet("PRAGMA user_version").getInt() == schema_version());
      CHECK(sql.execAndGet("PRAGMA journal_mode").getString() == "wal");
      CHECK(sql.execAndGet("PRAGMA foreign_keys").getInt() == 1);
      CHECK(sql.execAndGet("PRAGMA synchronous").getInt() == 2);
    });
    CHECK(database.path() == dir / "p.omnifit");
    CHECK(database.folder() == dir.path());
  }
  CHECK(count_spaces(create(dir / "p.omnifit")) == 1);
  CHECK(count_spaces(open_read_only(dir / "p.omnifit")) == 1);
}

TEST_CASE("a write is all or nothing", "[store][unit]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  CHECK_THROWS_AS(database.write([](SQLite::Database& sql) {
    put_space(sql, space_row());
    throw DataError("half-way");
  }),
                  DataError);
  CHECK(count_spaces(database) == 0);
}

TEST_CASE("a reader cannot change anything", "[store][error]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  CHECK_THROWS_WITH(database.read([](SQLite::Database& sql) { put_space(sql, space_row()); }),
                    ContainsSubstring("not writable"));
  add_space(database, "still writable afterwards");
  CHECK(count_spaces(database) == 1);
}

TEST_CASE("foreign keys and natural keys hold", "[store][unit]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  CHECK_THROWS_AS(database.write([](SQLite::Database& sql) {
    put_arch(sql, {.space_id = 77, .text = "x", .json = "{}"});
  }),
                  BugError);
  std::vector<std::int64_t> ids;
  database.write([&](SQLite::Database& sql) {
    const std::int64_t space = put_space(sql, space_row());
    CHECK(put_space(sql, space_row()) == space);
    const ArchRow arch{.space_id = space,
                       .in_channels = 3,
                       .num_classes = 10,
                       .text = "x",
                       .json = "{}",
                       .macs = 5};
    ArchRow other = arch;
    other.num_classes = 11;
    ids = {put_arch(sql, arch), put_arch(sql, other), put_arch(sql, arch)};
  });
  CHECK(ids[0] == ids[2]);
  CHECK(ids[0] != ids[1]);
}

TEST_CASE("many threads write and read one project", "[store][property]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&database, t] {
      for (int i = 0; i < 10; ++i) {
        add_space(database, std::to_string(t * 100 + i));
        count_spaces(database);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(count_spaces(database) == 40);
}

TEST_CASE("a body that opens the project again is a bug, not a deadlock", "[store][error]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  CHECK_THROWS_AS(database.write([&](SQLite::Database&) { count_spaces(database); }), BugError);
  CHECK(count_spaces(database) == 0);
}

TEST_CASE("a copy without its -wal is a project", "[store][unit]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  add_space(database, "in the log only");
  REQUIRE(fs::file_size(dir / "p.omnifit-wal") > 0);
  fs::copy_file(dir / "p.omnifit", dir / "copy.omnifit");
  CHECK(count_spaces(create(dir / "copy.omnifit")) == 0);
}

TEST_CASE("files that are no project are refused and left alone", "[store][error]") {
  const TempDir dir;
  const fs::path file = dir / "p.omnifit";
  const auto mode = GENERATE(Database::Mode::kReadWrite, Database::Mode::kReadOnly);
  SECTION("text") {
    core::write_file_atomically(
        file, std::string_view("this is not a database, but long enough to look at twice\n"));
    const std::string before = core::read_text_file(file);
    CHECK_THROWS_AS(Database(file, mode), DataError);
    CHECK_THROWS_WITH(Database(file, mode), ContainsSubstring("p.omnifit: not an SQLite database"));
    CHECK(core::read_text_file(file) == before);
  }
  SECTION("another program's database") {
    SQLite::Database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec("CREATE TABLE mine (x)");
    const std::string before = core::read_text_file(file);
    CHECK_THROWS_AS(Database(file, mode), DataError);
    CHECK_THROWS_WITH(Database(file, mode),
                      ContainsSubstring("an SQLite database, but not a project file"));
    CHECK(core::read_text_file(file) == before);
  }
  SECTION("a folder") {
    fs::create_directory(file);
    CHECK_THROWS_AS(Database(file, mode), DataError);
    CHECK_THROWS_WITH(Database(file, mode), ContainsSubstring("not a regular file"));
  }
}

TEST_CASE("a missing file is only created by a writer, in a folder that exists", "[store][error]") {
  const TempDir dir;
  CHECK_THROWS_AS(open_read_only(dir / "p.omnifit"), DataError);
  CHECK_THROWS_WITH(open_read_only(dir / "p.omnifit"), ContainsSubstring("no such project file"));
  CHECK_FALSE(fs::exists(dir / "p.omnifit"));
  CHECK_THROWS_AS(create(dir / "missing" / "p.omnifit"), DataError);
  CHECK_THROWS_WITH(create(dir / "missing" / "p.omnifit"),
                    ContainsSubstring("missing does not exist"));
}

TEST_CASE("names that are not UTF-8 are written out in messages", "[store][error]") {
  const TempDir dir;
  CHECK_THROWS_WITH(Database(dir / "a\xff.sqlite", Database::Mode::kReadOnly),
                    (dir / "a\\xff.sqlite").string() + ": no such project file");
}

TEST_CASE("a project of a newer omnifit is refused", "[store][error]") {
  const TempDir dir;
  create(dir / "p.omnifit").write([](SQLite::Database& sql) {
    sql.exec("PRAGMA user_version = 99");
  });
  const auto mode = GENERATE(Database::Mode::kReadWrite, Database::Mode::kReadOnly);
  CHECK_THROWS_AS(Database(dir / "p.omnifit", mode), DataError);
  CHECK_THROWS_WITH(Database(dir / "p.omnifit", mode),
                    ContainsSubstring("written by a newer omnifit (format 99"));
}

TEST_CASE("an older format needs a writer", "[store][error]") {
  const TempDir dir;
  create(dir / "p.omnifit").write([](SQLite::Database& sql) {
    sql.exec("PRAGMA user_version = 0");
  });
  CHECK_THROWS_AS(open_read_only(dir / "p.omnifit"), DataError);
  CHECK_THROWS_WITH(open_read_only(dir / "p.omnifit"), ContainsSubstring("of an older format (0"));
}

TEST_CASE("exclusive locking, as on a network disk, needs no shared memory", "[store][unit]") {
  const TempDir dir;
  const fs::path file = dir / "p.omnifit";
  const Database::Options exclusive{.busy_timeout_ms = 50, .exclusive = true};
  {
    Database database(file, Database::Mode::kReadWrite, exclusive);
    add_space(database, "a");
    CHECK_FALSE(fs::exists(file.string() + "-shm"));
    CHECK_THROWS_WITH(open_read_only(file), ContainsSubstring("locked by another program"));
    CHECK_THROWS_WITH(create(file), ContainsSubstring("locked by another program"));
  }
  const Database reader(file, Database::Mode::kReadOnly, exclusive);
  CHECK(count_spaces(reader) == 1);
  CHECK_FALSE(fs::exists(file.string() + "-shm"));
}

TEST_CASE("network and user-space file systems are known by their magic numbers", "[store][unit]") {
  for (const std::uint32_t magic : {0x6969U, 0x517BU, 0xFE534D42U, 0xFF534D42U, 0x65735546U}) {
    CAPTURE(magic);
    CHECK(detail::is_network_filesystem(magic));
  }
  for (const std::uint32_t magic :
       {0xEF53U /* ext4 */, 0x01021994U /* tmpfs */, 0x9123683EU /* btrfs */}) {
    CAPTURE(magic);
    CHECK_FALSE(detail::is_network_filesystem(magic));
  }
  CHECK_FALSE(detail::is_on_network_filesystem("/proc"));
  CHECK_FALSE(detail::is_on_network_filesystem("/no such folder"));
}

TEST_CASE("a backup is a whole project of its own", "[store][unit]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  add_space(database, "a");
  open_read_only(dir / "p.omnifit").backup(dir / "b.omnifit");
  add_space(database, "after");
  CHECK_FALSE(fs::exists(dir / "b.omnifit-wal"));
  CHECK(count_spaces(open_read_only(dir / "b.omnifit")) == 1);
  CHECK(create(dir / "b.omnifit").check().empty());
  CHECK_THROWS_AS(database.backup(dir / "b.omnifit"), StateError);
  CHECK_THROWS_WITH(database.backup(dir / "b.omnifit"),
                    ContainsSubstring("b.omnifit: already exists"));
  CHECK_THROWS_AS(database.backup(dir / "missing" / "b.omnifit"), EnvironmentError);
}

TEST_CASE("check compares recorded files with the disk", "[store][unit]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  const auto put = [&](const std::string& name, std::string_view text) {
    core::write_file_atomically(dir / name, text);
  };
  put("good", "weights");
  put("longer", "weights and more");
  put("changed", "Weights");
  database.write([&](SQLite::Database& sql) {
    sql.exec(
        "INSERT INTO job VALUES (1, 'h', '', '', '', '', '', '{}', '');"
        "INSERT INTO stage_run (id, job_id, stage, input_hash, state, started_at) VALUES (1, 1, "
        "'train', 'h', 'done', '')");
    SQLite::Statement insert(
        sql,
        "INSERT INTO checkpoint (stage_run_id, phase_index, phase, step, path, size_bytes, sha256, "
        "final) VALUES (1, ?, 'full', 1, ?, 7, ?, 0)");
    int phase = 0;
    for (const char* name : {"good", "longer", "changed", "gone"}) {
      insert.bind(1, phase++);
      insert.bind(2, name);
      insert.bind(3, core::sha256_hex(std::string_view("weights")));
      insert.exec();
      insert.reset();
    }
  });
  CHECK(database.check() ==
        std::vector<std::string>{"checkpoint: changed: content differs (sha256)",
                                 "checkpoint: gone: missing",
                                 "checkpoint: longer: 16 bytes, recorded are 7"});
  database.write([](SQLite::Database& sql) {
    sql.exec("DELETE FROM checkpoint");
    sql.exec("PRAGMA defer_foreign_keys = ON");
  });
  CHECK(database.check().empty());
}

TEST_CASE("check finds rows that lost what they refer to", "[store][unit]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  SQLite::Database((dir / "p.omnifit").string(), SQLite::OPEN_READWRITE)
      .exec("INSERT INTO train_metric VALUES (5, 1, 'train_loss', 0, 'full', 0.1, 2.0)");
  CHECK(database.check().size() == 1);
  CHECK_THAT(database.check().front(),
             ContainsSubstring("train_metric") && ContainsSubstring("stage_run"));
}

TEST_CASE("every SQLite failure has its class and names the file", "[store][error]") {
  struct Case {
    int code;
    const char* text;
    ExitCode exit;
  };
  const auto [code, text, exit] = GENERATE(table<int, const char*, ExitCode>(
      {{SQLITE_FULL, "the disk is full", ExitCode::kEnvironment},
       {SQLITE_BUSY, "locked by another program", ExitCode::kEnvironment},
       {SQLITE_LOCKED, "locked by another program", ExitCode::kEnvironment},
       {SQLITE_READONLY, "not writable", ExitCode::kEnvironment},
       {SQLITE_PERM, "not writable", ExitCode::kEnvironment},
       {SQLITE_CANTOPEN, "cannot be opened", ExitCode::kEnvironment},
       {SQLITE_IOERR, "input or output error", ExitCode::kEnvironment},
       {SQLITE_NOTADB, "not an SQLite database", ExitCode::kUserInput},
       {SQLITE_CORRUPT, "the project file is damaged", ExitCode::kUserInput}}));
  try {
    detail::throw_translated(SQLite::Exception("said SQLite", code), "some/p.omnifit");
  } catch (const Error& error) {
    CHECK(error.exit_code() == exit);
    CHECK_THAT(error.what(), ContainsSubstring(text) && ContainsSubstring("some/p.omnifit: "));
    CHECK_THAT(error.what(), !ContainsSubstring("\n"));
  }
  CHECK_THROWS_AS(detail::throw_translated(SQLite::Exception("syntax", SQLITE_ERROR), "p"),
                  BugError);
}

TEST_CASE("migrations run in order, each in one transaction", "[store][unit]") {
  using detail::Migration;
  SQLite::Database sql(":memory:", SQLite::OPEN_READWRITE);
  const std::array<Migration, 2> good = {
      Migration{1, "0001", "CREATE TABLE a (x); CREATE TABLE b (x);"},
      Migration{2, "0002", "ALTER TABLE a ADD COLUMN y;"}};
  const std::array<Migration, 2> bad = {
      good[0], Migration{2, "0002", "CREATE TABLE c (x); CREATE TABLE a (x);"}};
  CHECK_THROWS_AS(detail::migrate(sql, bad), SQLite::Exception);
  CHECK(sql.execAndGet("PRAGMA user_version").getInt() == 1);
  CHECK(sql.tableExists("b"));
  CHECK_FALSE(sql.tableExists("c"));
  CHECK(detail::migrate(sql, good));
  CHECK(sql.execAndGet("PRAGMA user_version").getInt() == 2);
  sql.exec("SELECT y FROM a");
  CHECK_FALSE(detail::migrate(sql, good));
  REQUIRE_FALSE(detail::migrations().empty());
  for (std::size_t i = 0; i < detail::migrations().size(); ++i) {
    CHECK(detail::migrations()[i].version == static_cast<int>(i) + 1);
  }
}

}  // namespace omnifit::store
