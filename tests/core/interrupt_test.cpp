#include "core/interrupt.hpp"

#include "tests/support/catch.hpp"

#include "core/error.hpp"
#include "core/log.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>

using namespace omnifit::core;

namespace {

struct ChildResult {
  int status = 0;
  std::string error_output;
};

/// Runs `work` in a forked child whose stderr is captured.
ChildResult in_child(const std::function<void()>& work) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    work();
    ::_exit(0);
  }
  ::close(ends[1]);
  ChildResult result;
  std::array<char, 256> buffer{};
  for (ssize_t count = 0; (count = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
    result.error_output.append(buffer.data(), static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  REQUIRE(::waitpid(child, &result.status, 0) == child);
  return result;
}

}  // namespace

TEST_CASE("a stop request is seen at the next safe point and can be cleared", "[core][unit]") {
  CHECK_FALSE(stop_requested());
  CHECK_NOTHROW(check_interrupt());
  request_stop(true);
  CHECK(stop_requested());
  CHECK_THROWS_AS(check_interrupt(), omnifit::Interrupted);
  CHECK_THROWS_WITH(check_interrupt(), "interrupted; run the same command again to go on");
  request_stop(false);
  CHECK_NOTHROW(check_interrupt());
}

TEST_CASE("the first signal asks for a clean stop", "[core][unit]") {
  for (int signal_number : {SIGINT, SIGTERM}) {
    const ChildResult result = in_child([signal_number] {
      install_signal_handlers();
      if (stop_requested()) ::_exit(10);
      ::raise(signal_number);
      ::_exit(stop_requested() ? 42 : 11);
    });
    REQUIRE(WIFEXITED(result.status));
    CHECK(WEXITSTATUS(result.status) == 42);
    CHECK(result.error_output == "\nstopping at the next safe point; once more stops at once\n");
  }
}

TEST_CASE("the second signal ends the process at once", "[core][unit]") {
  const ChildResult result = in_child([] {
    install_signal_handlers();
    ::raise(SIGINT);
    ::raise(SIGTERM);
    ::_exit(10);
  });
  REQUIRE(WIFEXITED(result.status));
  CHECK(WEXITSTATUS(result.status) == 130);
}

TEST_CASE("messages go to stderr from the chosen level on", "[core][unit]") {
  const ChildResult quiet = in_child([] {
    log_info("not shown {}", 1);
    log_warning("low {} of {}", "disk", 2);
    log_message(LogLevel::kError, "braces {} stay");
  });
  CHECK(quiet.error_output == "warning: low disk of 2\nerror: braces {} stay\n");
  const ChildResult verbose = in_child([] {
    set_log_level(LogLevel::kInfo);
    log_info("shown {}", 1);
    log_message(LogLevel::kDebug, "not shown");
  });
  CHECK(verbose.error_output == "info: shown 1\n");
}
