#include "core/progress.hpp"

#include "core/table.hpp"
#include "core/units.hpp"
#include "core/utf8.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace omnifit::core {
namespace {

/// Units per second, recent ones weighing more. A ratio of two decaying sums: exact from the first
/// sample, and without a division as long as no time has passed.
class SmoothedRate {
 public:
  void add(double units, double elapsed_s) {
    constexpr double kMemoryS = 20.0;
    const double decay = std::exp(-elapsed_s / kMemoryS);
    units_ = units_ * decay + units;
    time_s_ = time_s_ * decay + elapsed_s;
  }
  /// 0 while unknown.
  [[nodiscard]] double per_second() const { return time_s_ > 0 ? units_ / time_s_ : 0.0; }

 private:
  double units_ = 0;
  double time_s_ = 0;
};

/// "310/s"; slow work per minute or hour, so that the number stays readable. "" if unknown.
std::string rate_text(double per_second) {
  if (!(per_second > 0)) return "";
  const auto compact = [](double rate) {
    std::string text = rate < 10 ? fmt::format("{:.2g}", rate) : format_count(std::round(rate));
    text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
    return text;
  };
  if (per_second >= 1) return compact(per_second) + "/s";
  if (per_second * 60 >= 1) return compact(per_second * 60) + "/min";
  return compact(per_second * 3600) + "/h";
}

/// "9 s left": an estimate, so never with a fraction of a second.
std::string time_left_text(double left_s) {
  if (left_s < 59.5) return fmt::format("{:.0f} s left", std::max(1.0, std::round(left_s)));
  return format_duration(left_s) + " left";
}

/// The text cut to `columns` terminal columns.
std::string fitted(const std::string& text, std::size_t columns) {
  if (display_width(text) <= columns) return text;
  std::size_t end = 0;
  while (end < text.size()) {
    const std::size_t next = end + decode_utf8(text, end).size;
    if (display_width(text.substr(0, next)) > columns) break;
    end = next;
  }
  return text.substr(0, end);
}

/// A live line must stay one line, whatever a caller puts into it.
std::string single_line(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

std::string bar(double fraction) {
  constexpr int kCells = 20;
  const int filled = static_cast<int>(std::floor(std::clamp(fraction, 0.0, 1.0) * kCells));
  return '[' + std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(kCells - filled), '.') + ']';
}

double steady_now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

struct ConsoleProgress::State {
  State(Options options_in, std::FILE* out_in) : options(std::move(options_in)), out(out_in) {
    if (!options.now_s) options.now_s = &steady_now_s;
  }

  Options options;
  std::FILE* out;
  std::mutex mutex;

  bool open = false;
  bool line_drawn = false;  ///< the terminal's cursor stands in our live line
  std::string task;
  std::string unit;
  std::string detail;
  std::int64_t total = 0;
  std::int64_t done = 0;
  std::int64_t done_before = 0;  ///< finished in an earlier run: says nothing about today's rate
  std::int64_t sampled = 0;      ///< `done` at the last rate sample
  double begun_s = 0;
  double sampled_s = 0;
  double shown_s = 0;
  SmoothedRate rate;

  void sample(double now_s) {
    if (now_s <= sampled_s) return;
    rate.add(static_cast<double>(done - sampled), now_s - sampled_s);
    sampled = done;
    sampled_s = now_s;
  }

  [[nodiscard]] std::string counts() const {
    if (total <= 0) return fmt::format("{} {}", done, unit);
    return fmt::format("{}/{} {}", done, total, unit);
  }

  /// `task  parts  …`, leaving out what is not known.
  [[nodiscard]] std::string line(std::initializer_list<std::string> parts) const {
    std::string text = task;
    for (const std::string& part : parts) {
      if (!part.empty()) text += "  " + part;
    }
    return text;
  }

  [[nodiscard]] std::string live_line() const {
    const double per_second = rate.per_second();
    std::string left;
    if (total > done && per_second > 0) {
      left = time_left_text(static_cast<double>(total - done) / per_second);
    }
    std::string picture;
    if (options.is_terminal && total > 0) {
      const double fraction = static_cast<double>(done) / static_cast<double>(total);
      picture = fmt::format("{} {:3.0f} %", bar(fraction), std::floor(100 * fraction));
    }
    return line({picture, counts(), rate_text(per_second), left, detail});
  }

  [[nodiscard]] std::string final_line(double now_s) const {
    const double elapsed_s = now_s - begun_s;
    const auto units = static_cast<double>(done - done_before);
    const double per_second = elapsed_s > 0 ? units / elapsed_s : 0.0;
    return line({counts(), "in " + format_duration(elapsed_s), rate_text(per_second), detail});
  }

  /// A terminal that went away must not end the work: failures to write are ignored.
  void put(const std::string& text) const { std::fwrite(text.data(), 1, text.size(), out); }

  void draw(double now_s) {
    shown_s = now_s;
    if (options.is_terminal) {
      // One column stays free: a full line would make some terminals wrap.
      const auto columns = static_cast<std::size_t>(std::max(options.width_columns - 1, 1));
      put("\r" + fitted(live_line(), columns) + "\x1b[K");
      line_drawn = true;
    } else {
      put(live_line() + "\n");
    }
    std::fflush(out);
  }

  void clear_live_line() {
    if (line_drawn) put("\r\x1b[K");
    line_drawn = false;
  }

  void print_lasting(std::string_view text) {
    clear_live_line();
    put(fmt::format("{}\n", text));
    std::fflush(out);
  }

  void finish() {
    if (!open) return;
    open = false;
    print_lasting(final_line(options.now_s()));
  }
};

ConsoleProgress::Options ConsoleProgress::detect() {
  Options options;
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  options.is_terminal = ::isatty(STDERR_FILENO) == 1 && !dumb;
  winsize size{};
  if (options.is_terminal && ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    options.width_columns = size.ws_col;
  }
  return options;
}

ConsoleProgress::ConsoleProgress(Options options, std::FILE* out)
    : state_(std::make_unique<State>(std::move(options), out)) {}

ConsoleProgress::~ConsoleProgress() {
  // A task that is still open here was left by an exception: no summary, but a clean line.
  state_->clear_live_line();
  std::fflush(state_->out);
}

void ConsoleProgress::begin(std::string_view task, std::int64_t total, std::string_view unit,
                            std::int64_t done) {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  state.finish();
  state.open = true;
  state.task = single_line(task);
  state.unit = single_line(unit);
  state.detail.clear();
  state.total = total;
  state.done = state.done_before = state.sampled = done;
  state.begun_s = state.sampled_s = state.shown_s = state.options.now_s();
  state.rate = {};
  if (state.options.is_terminal) state.draw(state.begun_s);
}

void ConsoleProgress::advance(std::int64_t units, std::string_view detail) {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  if (!state.open) return;
  state.done += units;
  if (!detail.empty()) state.detail = single_line(detail);
  const double now_s = state.options.now_s();
  const double interval_s =
      state.options.is_terminal ? state.options.redraw_interval_s : state.options.line_interval_s;
  if (now_s - state.shown_s < interval_s) return;
  state.sample(now_s);
  state.draw(now_s);
}

void ConsoleProgress::message(std::string_view text) {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  const bool redraw = state.line_drawn;
  state.print_lasting(text);
  if (redraw) state.draw(state.options.now_s());
}

void ConsoleProgress::end() {
  const std::lock_guard lock(state_->mutex);
  state_->finish();
}

}  // namespace omnifit::core
