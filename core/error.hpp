#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace omnifit {

/// What the process returns; the only place that knows the numbers.
enum class ExitCode : int {
  kDone = 0,
  kBug = 1,           ///< a failed check of our own: please report
  kUserInput = 2,     ///< the job, a file or an argument is wrong
  kGoalMissed = 3,    ///< a stage could not reach its goal, e.g. no subnet meets the budget
  kEnvironment = 4,   ///< disk full, database locked, device or runner gone
  kInterrupted = 130  ///< stopped by a signal at a safe point; run the same command to go on
};

/// Where a value was written. Lines and columns are 1-based; line 0 means "no position known".
/// Values given on the command line have file "<cli>" and line 0.
struct SourceLocation {
  std::string file;
  int line = 0;
  int column = 0;

  /// "job.yaml:14:3", "job.yaml" or "<cli>".
  [[nodiscard]] std::string str() const;
  friend bool operator==(const SourceLocation&, const SourceLocation&) = default;
};

/// Base of every error that ends a command with one clear message. `main` alone catches it.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ExitCode exit_code() const { return code_; }

 private:
  ExitCode code_;
};

/// A job, space or device file, or a command-line value, is wrong. Message: "file:line:col: …" per
/// line.
class ConfigError : public Error {
 public:
  explicit ConfigError(const std::string& message) : Error(ExitCode::kUserInput, message) {}
  ConfigError(const SourceLocation& where, const std::string& message)
      : Error(ExitCode::kUserInput, where.str() + ": " + message) {}
};

/// A data file, checkpoint or project file is missing, corrupt or incompatible.
class DataError : public Error {
 public:
  explicit DataError(const std::string& message) : Error(ExitCode::kUserInput, message) {}
};

/// The operation is not possible now (a stage that needs another one first, a project held by
/// another run).
class StateError : public Error {
 public:
  explicit StateError(const std::string& message) : Error(ExitCode::kUserInput, message) {}
};

/// A stage ran but could not reach its goal; says which constraint binds and what can be reached.
class GoalError : public Error {
 public:
  explicit GoalError(const std::string& message) : Error(ExitCode::kGoalMissed, message) {}
};

/// The machine failed us: disk full, permission denied, database locked, device gone.
class EnvironmentError : public Error {
 public:
  explicit EnvironmentError(const std::string& message) : Error(ExitCode::kEnvironment, message) {}
};

/// Thrown at a safe point after SIGINT or SIGTERM; everything done so far is stored.
class Interrupted : public Error {
 public:
  Interrupted()
      : Error(ExitCode::kInterrupted, "interrupted; run the same command again to go on") {}
};

/// A bug in omnifit itself: a failed OMNIFIT_CHECK. Never reachable from user input.
class BugError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

namespace detail {
[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const std::string& message);
}  // namespace detail

}  // namespace omnifit

/// Always on. The message arguments are a fmt format string and its values.
#define OMNIFIT_CHECK(condition, ...)                                                              \
  do {                                                                                             \
    if (!(condition)) [[unlikely]] {                                                               \
      ::omnifit::detail::check_failed(#condition, __FILE__, __LINE__, ::fmt::format(__VA_ARGS__)); \
    }                                                                                              \
  } while (false)
