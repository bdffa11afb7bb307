#include "core/progress.hpp"

#include "tests/support/catch.hpp"

#include "core/table.hpp"
#include "core/threads.hpp"

#include <array>
#include <memory>
#include <string>

using Catch::Matchers::ContainsSubstring;
using omnifit::core::ConsoleProgress;

namespace {

/// A progress display that writes into a file and whose clock the test moves.
class Display {
 public:
  explicit Display(bool is_terminal, double interval_s = 5, int width_columns = 100) {
    ConsoleProgress::Options options;
    options.is_terminal = is_terminal;
    options.line_interval_s = options.redraw_interval_s = interval_s;
    options.width_columns = width_columns;
    options.now_s = [this] { return now_s; };
    sink = std::make_unique<ConsoleProgress>(options, file_.get());
  }

  /// Everything written so far.
  std::string text() {
    std::string result;
    std::rewind(file_.get());
    std::array<char, 256> buffer{};
    while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file_.get())) {
      result.append(buffer.data(), count);
    }
    return result;
  }

  double now_s = 1000;

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{std::tmpfile(), &std::fclose};

 public:
  std::unique_ptr<ConsoleProgress> sink;  // after the file: it writes once more when it ends
};

}  // namespace

TEST_CASE("off a terminal one line appears per interval and one at the end", "[core][golden]") {
  Display display(false);
  display.sink->begin("train: kernel", 4000, "images", 0);
  for (int k = 0; k < 40; ++k) {
    display.now_s += 0.25;
    display.sink->advance(100, k == 10 ? "loss 1.2" : "");
  }
  display.sink->end();
  CHECK(display.text() ==
        "train: kernel  2000/4000 images  400/s  5 s left  loss 1.2\n"
        "train: kernel  4000/4000 images  400/s  loss 1.2\n"
        "train: kernel  4000/4000 images  in 10 s  400/s  loss 1.2\n");
}

TEST_CASE("work of an earlier run does not count in the rate", "[core][unit]") {
  Display display(false, 1);
  display.sink->begin("collect", 1000, "subnets", 900);
  display.now_s += 10;
  display.sink->advance(20, "");
  display.sink->end();
  CHECK(display.text() ==
        "collect  920/1000 subnets  2/s  40 s left\n"
        "collect  920/1000 subnets  in 10 s  2/s\n");
}

TEST_CASE("the rate follows a change of speed", "[core][unit]") {
  Display display(false, 10);
  display.sink->begin("t", 1000000, "x", 0);
  display.now_s += 10;
  display.sink->advance(10000, "");
  for (int k = 0; k < 20; ++k) {
    display.now_s += 10;
    display.sink->advance(1000, "");
  }
  const std::string text = display.text();
  CHECK_THAT(text, ContainsSubstring("t  10000/1000000 x  1.00k/s"));
  CHECK_THAT(text, ContainsSubstring("t  30000/1000000 x  100/s  2 h 42 min left"));
}

TEST_CASE("slow work is counted per minute or hour", "[core][unit]") {
  Display display(false, 1);
  display.sink->begin("a", 10, "runs", 0);
  display.now_s += 40;
  display.sink->advance(1, "");
  display.sink->begin("b", 10, "runs", 0);
  display.now_s += 1000;
  display.sink->advance(1, "");
  display.sink->end();
  const std::string text = display.text();
  CHECK_THAT(text, ContainsSubstring("a  1/10 runs  1.5/min  6 min 00 s left\n"));
  CHECK_THAT(text, ContainsSubstring("b  1/10 runs  3.6/h  2 h 30 min left\n"));
}

TEST_CASE("no time, no work and no total are no division", "[core][unit]") {
  Display display(false, 0);
  display.sink->begin("a", 10, "x", 0);
  display.sink->advance(5, "");
  display.sink->end();
  display.sink->begin("b", 0, "x", 0);
  display.now_s += 2;
  display.sink->advance(0, "");
  display.sink->advance(3, "");
  display.sink->end();
  CHECK(display.text() ==
        "a  5/10 x\n"
        "a  5/10 x  in 0 s\n"
        "b  0 x\n"
        "b  3 x\n"
        "b  3 x  in 2.0 s  1.5/s\n");
}

TEST_CASE("beginning a task ends the open one, ending twice is harmless", "[core][unit]") {
  Display display(false);
  display.sink->end();
  display.sink->advance(1, "nobody listens");
  display.sink->begin("a", 2, "x", 0);
  display.sink->begin("b", 2, "x", 0);
  display.sink->end();
  display.sink->end();
  CHECK(display.text() == "a  0/2 x  in 0 s\nb  0/2 x  in 0 s\n");
}

TEST_CASE("messages stay between the lines", "[core][unit]") {
  Display display(false);
  display.sink->message("before");
  display.sink->begin("a", 2, "x", 0);
  display.sink->message("within");
  display.sink->end();
  CHECK(display.text() == "before\nwithin\na  0/2 x  in 0 s\n");
}

TEST_CASE("on a terminal one line is redrawn in place", "[core][golden]") {
  Display display(true, 1);
  display.sink->begin("train", 4, "steps", 0);
  display.now_s += 0.5;
  display.sink->advance(1, "too early to redraw");
  display.now_s += 0.5;
  display.sink->advance(1, "loss 1.2");
  display.sink->message("saved");
  display.sink->end();
  CHECK(display.text() ==
        "\rtrain  [....................]   0 %  0/4 steps\x1b[K"
        "\rtrain  [##########..........]  50 %  2/4 steps  2/s  1 s left  loss 1.2\x1b[K"
        "\r\x1b[Ksaved\n"
        "\rtrain  [##########..........]  50 %  2/4 steps  2/s  1 s left  loss 1.2\x1b[K"
        "\r\x1b[Ktrain  2/4 steps  in 1.0 s  2/s  loss 1.2\n");
}

TEST_CASE("a live line never wraps and stays one line", "[core][unit]") {
  Display display(true, 0, 30);
  display.sink->begin("task", 10, "x", 0);
  display.sink->advance(1, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 and\nmuch more than fits");
  const std::string text = display.text();
  const std::size_t start = text.rfind('\r') + 1;
  const std::string line = text.substr(start, text.rfind("\x1b[K") - start);
  CHECK(omnifit::core::display_width(line) == 29);
  CHECK(line.find('\n') == std::string::npos);
}

TEST_CASE("a display that is abandoned leaves a clean line", "[core][unit]") {
  Display display(true);
  display.sink->begin("a", 2, "x", 0);
  display.sink.reset();
  CHECK_THAT(display.text(), Catch::Matchers::EndsWith("\r\x1b[K"));
}

TEST_CASE("any thread may report", "[core][unit]") {
  Display display(false, 1e9);
  display.sink->begin("a", 10000, "x", 0);
  omnifit::core::parallel_for(10000, 4, [&](std::int64_t) { display.sink->advance(1, "busy"); });
  display.sink->end();
  CHECK(display.text() == "a  10000/10000 x  in 0 s  busy\n");
}

TEST_CASE("a display whose file takes nothing more goes on", "[core][error]") {
  std::FILE* full = std::fopen("/dev/full", "w");
  REQUIRE(full != nullptr);
  {
    ConsoleProgress sink({.is_terminal = true, .redraw_interval_s = 0}, full);
    sink.begin("a", 2, "x", 0);
    CHECK_NOTHROW(sink.advance(1, ""));
    CHECK_NOTHROW(sink.message("lost"));
    CHECK_NOTHROW(sink.end());
  }
  CHECK(std::ferror(full) != 0);
  std::fclose(full);
}
