#include "core/error.hpp"
#include "store/database.hpp"
#include "tests/support/as_nobody.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <string>

namespace omnifit::store {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::TempDir;
namespace fs = std::filesystem;

}  // namespace

TEST_CASE("a held project names its holder", "[store][error]") {
  const TempDir dir;
  const fs::path project = dir / "p.omnifit";
  {
    const ProjectLock lock(project, "omnifit run job.yaml\n--set a=b");
    CHECK_THROWS_AS(ProjectLock(project, "second"), StateError);
    CHECK_THROWS_WITH(
        ProjectLock(project, "second"),
        ContainsSubstring("p.omnifit: in use by process " + std::to_string(getpid())) &&
            ContainsSubstring("since 20") &&
            ContainsSubstring("(command: omnifit run job.yaml --set a=b)"));
    CHECK_NOTHROW(ProjectLock(dir / "other.omnifit", "another project"));
  }
  CHECK_FALSE(fs::exists(dir / "p.omnifit.lock"));
  CHECK_NOTHROW(ProjectLock(project, "after"));
}

TEST_CASE("a link to the project has the same lock", "[store][unit]") {
  const TempDir dir;
  const fs::path project = dir / "p.omnifit";
  { Database(project, Database::Mode::kReadWrite); }
  fs::create_symlink(project, dir / "link.omnifit");
  const ProjectLock lock(project, "first");
  CHECK_THROWS_AS(ProjectLock(dir / "link.omnifit", "second"), StateError);
}

TEST_CASE("a killed holder leaves no lock behind", "[store][unit]") {
  const TempDir dir;
  const fs::path project = dir / "p.omnifit";
  std::array<int, 2> pipe_ends{};
  REQUIRE(pipe(pipe_ends.data()) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const ProjectLock lock(project, "child");
    if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
    while (true) pause();
  }
  char ready = 0;
  REQUIRE(read(pipe_ends[0], &ready, 1) == 1);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  CHECK_THROWS_WITH(ProjectLock(project, "parent"),
                    ContainsSubstring("process " + std::to_string(child)));
  kill(child, SIGKILL);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  CHECK(fs::exists(dir / "p.omnifit.lock"));
  CHECK_NOTHROW(ProjectLock(project, "parent"));
}

TEST_CASE("a project in a folder that does not exist cannot be locked", "[store][error]") {
  const TempDir dir;
  CHECK_THROWS_AS(ProjectLock(dir / "missing/p.omnifit", "run"), DataError);
  CHECK_THROWS_WITH(ProjectLock(dir / "missing/p.omnifit", "run"),
                    ContainsSubstring("missing does not exist"));
}

TEST_CASE("a folder without write permission cannot be locked", "[store][error]") {
  const TempDir dir;
  const test::AsNobody unprivileged(dir.path());
  fs::permissions(dir.path(), fs::perms(0555));
  unprivileged.run([&] {
    CHECK_THROWS_AS(ProjectLock(dir / "p.omnifit", "run"), EnvironmentError);
    CHECK_THROWS_WITH(ProjectLock(dir / "p.omnifit", "run"),
                      ContainsSubstring("cannot create the project's lock"));
  });
  fs::permissions(dir.path(), fs::perms(0755));
}

}  // namespace omnifit::store
