#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace omnifit::exporters {

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
    kNotStarted,  ///< `code` is errno: ENOENT if there is no such program
  };
  End end = End::kExited;
  int code = 0;
  std::string out;
  std::string err;
};

/// Runs a program without a shell and waits for it. `argv[0]` is looked up in PATH unless it has a
/// slash; stdin is empty. The child gets a process group of its own, which is killed whole when a
/// limit is reached or the run is interrupted. Blocking; thread-safe.
/// @throws Interrupted if a stop was asked for meanwhile; EnvironmentError if pipes cannot be made.
CommandResult run_command(const std::vector<std::string>& argv, const CommandLimits& limits = {});

}  // namespace omnifit::exporters
