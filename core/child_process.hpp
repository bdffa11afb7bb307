#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::core {

struct CommandLimits {
  double timeout_s = 120.0;  ///< wall clock; then the child and its children are killed
  std::size_t max_stdout_bytes = 64U << 20U;  ///< more is an error, not silently cut
  std::size_t max_stderr_bytes = 64U << 10U;  ///< only the end is kept
};

struct CommandResult {
  enum class End {
    kExited,     ///< `code` is the exit code
    kSignalled,  ///< `code` is the signal that ended it
    kTimedOut,
    kFlooded,     ///< wrote more than max_stdout_bytes
    kRefused,     ///< the watcher had enough
    kNotStarted,  ///< `code` is errno: ENOENT if there is no such program
  };
  End end = End::kExited;
  int code = 0;
  std::string out;  ///< empty if a watcher took it
  std::string err;
};

/// The last line that is not blank, cut to a length that fits a message: of stderr, most often the
/// reason.
std::string last_line(std::string text);

/// Gets stdout piece by piece while the program runs, and an empty piece at least every 50 ms.
/// False ends the program.
using OutputWatcher = std::function<bool(std::string_view piece)>;

/// Runs a program without a shell and waits for it. `argv[0]` is looked up in PATH unless it has a
/// slash; stdin is empty. The child gets a session of its own, so that it has no terminal on which
/// to ask for a password, and its process group is killed whole when a limit is reached, the
/// watcher refuses or throws, or the run is interrupted. Blocking; thread-safe.
/// @throws Interrupted if a stop was asked for meanwhile; EnvironmentError if pipes cannot be made.
CommandResult run_command(const std::vector<std::string>& argv, const CommandLimits& limits = {},
                          const OutputWatcher& watcher = {});

}  // namespace omnifit::core
