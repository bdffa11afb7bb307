#include "store/database.hpp"

#include "core/error.hpp"
#include "store/arch_rows.hpp"
#include "tests/store/project_file.hpp"
#include "tests/support/as_nobody.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <SQLiteCpp/Database.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

namespace omnifit::store {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::add_space;
using test::count_spaces;
using test::create;
using test::kImpatient;
using test::open_read_only;
using test::space_row;
using test::TempDir;
namespace fs = std::filesystem;

/// Runs `body` in a child process that then dies without any clean-up. @return whether it got to
/// its end.
template <class Body>
bool in_killed_process(const Body& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      body();
    } catch (...) {
      _exit(1);
    }
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status);
}

}  // namespace

TEST_CASE("a killed writer loses only what was not committed", "[store][unit]") {
  const TempDir dir;
  const fs::path file = dir / "p.omnifit";
  REQUIRE(in_killed_process([&] {
    Database database = create(file);
    add_space(database, "committed");
    database.write([&](SQLite::Database& sql) {
      put_space(sql, space_row("not committed"));
      kill(getpid(), SIGKILL);
    });
  }));
  SECTION("seen by the next writer") {
    Database database = create(file);
    CHECK(count_spaces(database) == 1);
    CHECK(database.check().empty());
  }
  SECTION("seen by a reader") { CHECK(count_spaces(open_read_only(file)) == 1); }
}

TEST_CASE("whenever a writer is killed, transactions are whole", "[store][property]") {
  // The child dies at some step of SQLite's machine: looking up, inserting, committing.
  const int steps = GENERATE(3, 17, 40, 77, 131, 190, 263, 350, 451, 566, 695, 838);
  CAPTURE(steps);
  const TempDir dir;
  const fs::path file = dir / "p.omnifit";
  { create(file); }
  REQUIRE(in_killed_process([&] {
    Database database = create(file);
    int left = steps;
    const auto count_down = [](void* steps_left) {
      return --*static_cast<int*>(steps_left) > 0 ? 0 : kill(getpid(), SIGKILL);
    };
    database.read([&](SQLite::Database& sql) {
      sqlite3_progress_handler(sql.getHandle(), 1, count_down, &left);
    });
    for (int pair = 0; pair < 100; ++pair) {
      database.write([&](SQLite::Database& sql) {
        put_space(sql, space_row("a" + std::to_string(pair)));
        put_space(sql, space_row("b" + std::to_string(pair)));
      });
    }
  }));
  const Database database = create(file);
  CHECK(database.check().empty());
  CHECK(count_spaces(database) % 2 == 0);
  CHECK(count_spaces(database) < 200);
}

TEST_CASE("an empty file is what a kill during creation leaves: it becomes a project",
          "[store][unit]") {
  const TempDir dir;
  std::ofstream(dir / "p.omnifit").close();
  CHECK_THROWS_WITH(open_read_only(dir / "p.omnifit"),
                    ContainsSubstring("empty, not a project file"));
  CHECK(count_spaces(create(dir / "p.omnifit")) == 0);
}

TEST_CASE("a change that was killed before the file had a write-ahead log is undone",
          "[store][unit]") {
  const TempDir folder;
  {
    SQLite::Database sql((folder / "alive.db").string(),
                         SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    // More than the cache holds, so that SQLite has to write to the file before the commit.
    sql.exec("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN; CREATE TABLE t(x)");
    for (int i = 0; i < 100; ++i) sql.exec("INSERT INTO t VALUES (zeroblob(4000))");
    // What the disk holds now is what a kill leaves.
    for (const char* suffix : {"", "-journal"}) {
      fs::copy_file((folder / "alive.db").string() + suffix,
                    (folder / "killed.db").string() + suffix);
    }
  }
  REQUIRE(fs::file_size(folder / "killed.db-journal") > 0);
  REQUIRE(fs::file_size(folder / "killed.db") > 0);
  SECTION("by a writer, which makes it a project") {
    Database database = create(folder / "killed.db");
    add_space(database, "0123456789abcdef");
    CHECK(count_spaces(database) == 1);
  }
  SECTION("by a reader, which finds nothing") {
    CHECK_THROWS_WITH(Database(folder / "killed.db", Database::Mode::kReadOnly, kImpatient),
                      ContainsSubstring("killed.db: empty, not a project file"));
  }
  CHECK_FALSE(fs::exists(folder / "killed.db-journal"));
}

TEST_CASE("damaged files are recognised", "[store][error]") {
  const TempDir dir;
  const fs::path file = dir / "p.omnifit";
  {
    Database database = create(file);
    for (int i = 0; i < 200; ++i) add_space(database, std::string(200, 'x') + std::to_string(i));
  }
  const auto size = fs::file_size(file);
  SECTION("truncated") {
    fs::resize_file(file, size / 2);
    const auto mode = GENERATE(Database::Mode::kReadWrite, Database::Mode::kReadOnly);
    CHECK_THROWS_AS(Database(file, mode), DataError);
    CHECK_THROWS_WITH(Database(file, mode), ContainsSubstring("the project file is damaged"));
  }
  SECTION("a page of noise") {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(size - 8192));
    stream << std::string(8192, '\x5a');
    stream.close();
    Database database = open_read_only(file);
    CHECK_FALSE(database.check().empty());
    CHECK_THROWS_AS(database.read([](SQLite::Database& sql) {
      sql.execAndGet("SELECT sum(length(fingerprint || yaml)) FROM space NOT INDEXED").getInt();
    }),
                    DataError);
  }
}

TEST_CASE("a full disk is the environment's fault and loses nothing", "[store][error]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  add_space(database, "before");
  const auto fill = [](SQLite::Database& sql) {
    const int pages = sql.execAndGet("PRAGMA page_count").getInt();
    sql.exec("PRAGMA max_page_count = " + std::to_string(pages));
    SpaceRow row = space_row("large");
    row.yaml.assign(1'000'000, 'x');
    put_space(sql, row);
  };
  CHECK_THROWS_AS(database.write(fill), EnvironmentError);
  CHECK_THROWS_WITH(database.write(fill),
                    ContainsSubstring("the disk is full") && ContainsSubstring("p.omnifit"));
  CHECK(count_spaces(database) == 1);
}

TEST_CASE("a failing disk is the environment's fault", "[store][error]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  add_space(database, "before");
  // Writes beyond the limit fail with EFBIG once the signal is ignored.
  rlimit old_limit{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old_limit) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 100'000, .rlim_max = old_limit.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string message;
  try {
    database.write([](SQLite::Database& sql) {
      SpaceRow row = space_row("large");
      row.yaml.assign(1'000'000, 'x');
      put_space(sql, row);
    });
  } catch (const EnvironmentError& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  CHECK_THAT(message,
             ContainsSubstring("input or output error") || ContainsSubstring("the disk is full"));
  CHECK(count_spaces(database) == 1);
}

TEST_CASE("a lock of another program is named", "[store][error]") {
  const TempDir dir;
  Database database = create(dir / "p.omnifit");
  SQLite::Database other((dir / "p.omnifit").string(), SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  CHECK_THROWS_AS(add_space(database, "a"), EnvironmentError);
  CHECK_THROWS_WITH(add_space(database, "a"), ContainsSubstring("locked by another program"));
  CHECK(count_spaces(database) == 0);
  other.exec("COMMIT");
  add_space(database, "a");
  CHECK(count_spaces(database) == 1);
}

TEST_CASE("a project replaced or deleted while open is noticed before anything is written",
          "[store][error]") {
  const TempDir dir;
  const fs::path file = dir / "p.omnifit";
  Database database = create(file);
  const bool replaced = GENERATE(true, false);
  if (replaced) {
    add_space(database, "ours");
    database.backup(dir / "other.omnifit");
    fs::rename(dir / "other.omnifit", file);
  } else {
    fs::remove(file);
  }
  CHECK_THROWS_AS(add_space(database, "lost"), EnvironmentError);
  CHECK_THROWS_WITH(add_space(database, "lost"), ContainsSubstring("deleted, moved or replaced"));
}

TEST_CASE("a read-only folder can be read but not written", "[store][error]") {
  const TempDir dir;
  fs::create_directory(dir / "shared");
  const fs::path file = dir / "shared/a project?.omnifit";
  {
    Database database = create(file);
    add_space(database, "a");
  }
  const test::AsNobody unprivileged(dir.path());
  SECTION("folder and file write-protected") {
    fs::permissions(file, fs::perms(0444));
    fs::permissions(dir / "shared", fs::perms(0555));
    unprivileged.run([&] {
      CHECK(count_spaces(open_read_only(file)) == 1);
      CHECK_THROWS_AS(create(file), EnvironmentError);
      CHECK_THROWS_WITH(create(file), ContainsSubstring("shared is not writable"));
    });
    fs::permissions(dir / "shared", fs::perms(0755));
  }
  SECTION("only the file write-protected") {
    fs::permissions(file, fs::perms(0444));
    fs::permissions(dir / "shared", fs::perms(0777));
    unprivileged.run([&] {
      CHECK_THROWS_AS(create(file), EnvironmentError);
      CHECK_THROWS_WITH(create(file), ContainsSubstring("the file is write-protected"));
    });
  }
  SECTION("commits wait in a log that nobody may read in") {
    {
      Database database = create(file);
      add_space(database, "b");
      fs::copy_file(file.string() + "-wal", dir / "saved-wal");
    }
    fs::rename(dir / "saved-wal", file.string() + "-wal");
    fs::permissions(dir / "shared", fs::perms(0555));
    unprivileged.run([&] { CHECK_THROWS_AS(open_read_only(file), EnvironmentError); });
    fs::permissions(dir / "shared", fs::perms(0755));
  }
  SECTION("unreadable") {
    fs::permissions(file, fs::perms(0000));
    unprivileged.run([&] {
      CHECK_THROWS_AS(open_read_only(file), EnvironmentError);
      CHECK_THROWS_WITH(open_read_only(file), ContainsSubstring("cannot be opened"));
    });
  }
}

}  // namespace omnifit::store
