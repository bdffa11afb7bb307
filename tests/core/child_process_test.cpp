#include "core/child_process.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <csignal>
#include <string>

using namespace omnifit;
using namespace omnifit::core;
using End = CommandResult::End;

TEST_CASE("output, errors and exit code of a command come back", "[core][unit]") {
  const CommandResult result = run_command({"sh", "-c", "echo out; echo err >&2; exit 3"});
  CHECK(result.end == End::kExited);
  CHECK(result.code == 3);
  CHECK(result.out == "out\n");
  CHECK(result.err == "err\n");
}

TEST_CASE("arguments reach the program as they are and its input is empty", "[core][unit]") {
  const CommandResult result = run_command({"printf", "%s|", "a b", "$HOME", "'\"*"});
  CHECK(result.out == "a b|$HOME|'\"*|");
  CHECK(run_command({"cat"}).end == End::kExited);
}

TEST_CASE("large output arrives whole", "[core][unit]") {
  const CommandResult result = run_command(
      {"sh", "-c", "head -c 3000000 /dev/zero; head -c 200000 /dev/zero >&2; echo end >&2"});
  CHECK(result.out.size() == 3'000'000);
  REQUIRE(result.err.size() == CommandLimits{}.max_stderr_bytes);
  CHECK(result.err.substr(result.err.size() - 4) == "end\n");
}

TEST_CASE("a missing or unusable program is reported, not thrown", "[core][error]") {
  const CommandResult missing = run_command({"omnifit-no-such-program"});
  CHECK(missing.end == End::kNotStarted);
  CHECK(missing.code == ENOENT);
  const CommandResult folder = run_command({"/tmp"});
  CHECK(folder.end == End::kNotStarted);
  CHECK(folder.code == EACCES);
}

TEST_CASE("a program that hangs, floods or dies is reported", "[core][error]") {
  CommandLimits limits;
  limits.timeout_s = 0.2;
  const CommandResult hanging =
      run_command({"sh", "-c", "echo started; sleep 1000 & sleep 1000"}, limits);
  CHECK(hanging.end == End::kTimedOut);
  CHECK(hanging.out == "started\n");

  limits.timeout_s = 60;
  limits.max_stdout_bytes = 100'000;
  CHECK(run_command({"cat", "/dev/zero"}, limits).end == End::kFlooded);

  const CommandResult dead = run_command({"sh", "-c", "kill -ABRT $$"});
  CHECK(dead.end == End::kSignalled);
  CHECK(dead.code == SIGABRT);
}

TEST_CASE("a grandchild that keeps the pipes open does not delay the result", "[core][unit]") {
  CommandLimits limits;
  limits.timeout_s = 30;
  const CommandResult result = run_command({"sh", "-c", "sleep 31 & echo $!"}, limits);
  CHECK(result.end == End::kExited);
  ::kill(std::stoi(result.out), SIGKILL);
}

TEST_CASE("a watcher gets output as it arrives and may end the program", "[core][unit]") {
  std::string seen;
  const CommandResult whole =
      run_command({"sh", "-c", "printf a; sleep 0.1; printf b"}, {}, [&](std::string_view piece) {
        seen += piece;
        return true;
      });
  CHECK(whole.end == End::kExited);
  CHECK(whole.out.empty());
  CHECK(seen == "ab");
  int calls = 0;
  const CommandResult refused =
      run_command({"sleep", "1000"}, {}, [&](std::string_view) { return ++calls < 3; });
  CHECK(refused.end == End::kRefused);
  CHECK(calls == 3);
  CommandLimits limits;
  limits.max_stdout_bytes = 100'000;
  CHECK(run_command({"cat", "/dev/zero"}, limits, [](std::string_view) { return true; }).end ==
        End::kFlooded);
}

TEST_CASE("a program has no terminal to ask on", "[core][unit]") {
  CHECK(run_command({"sh", "-c", "echo password? > /dev/tty"}).code != 0);
}

TEST_CASE("an interrupt ends the command", "[core][unit]") {
  request_stop(true);
  CHECK_THROWS_AS(run_command({"sleep", "1000"}), Interrupted);
  request_stop(false);
}
