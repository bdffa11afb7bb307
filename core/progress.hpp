#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace omnifit::core {

/// Where long work tells how far it is. Thread-safe: `advance` may be called from any thread.
/// One task at a time; `begin` ends a task that is still open.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  /// Starts a task of `total` units ("images", "subnets"); `done` units of it were finished earlier
  /// (resume).
  virtual void begin(std::string_view task, std::int64_t total, std::string_view unit,
                     std::int64_t done) = 0;
  /// `detail` is a short live text, e.g. "loss 1.32  top-1 61.2 %"; empty keeps the last one.
  virtual void advance(std::int64_t units, std::string_view detail) = 0;
  /// A line that stays: a result, a warning, a decision.
  virtual void message(std::string_view text) = 0;
  virtual void end() = 0;
};

/// Swallows everything; for tests and --quiet.
class NullProgress final : public ProgressSink {
 public:
  void begin(std::string_view, std::int64_t, std::string_view, std::int64_t) override {}
  void advance(std::int64_t, std::string_view) override {}
  void message(std::string_view) override {}
  void end() override {}
};

/// A bar with rate and time left on a terminal; elsewhere one line every few seconds. Writes to
/// stderr.
class ConsoleProgress final : public ProgressSink {
 public:
  struct Options {
    bool is_terminal = false;        ///< redraw one line in place
    int width_columns = 100;         ///< of the terminal
    double line_interval_s = 5.0;    ///< between lines when not a terminal
    double redraw_interval_s = 0.1;  ///< between redraws on a terminal
    std::function<double()>
        now_s{};  ///< seconds of a clock that never goes back; default: the steady clock
  };
  /// Options for the process's stderr.
  static Options detect();

  explicit ConsoleProgress(Options options, std::FILE* out = stderr);
  ~ConsoleProgress() override;
  void begin(std::string_view task, std::int64_t total, std::string_view unit,
             std::int64_t done) override;
  void advance(std::int64_t units, std::string_view detail) override;
  void message(std::string_view text) override;
  void end() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace omnifit::core
