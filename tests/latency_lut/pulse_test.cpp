#include "latency_lut/pulse.hpp"

#include "latency_lut/sampling.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>
#include <variant>

namespace omnifit::latency {
namespace {

/// A core that has a neighbour whenever the script says so: everything takes 1.4 times as long.
class SharedCore {
 public:
  /// `has_neighbour` gets the milliseconds that have passed.
  explicit SharedCore(std::function<bool(double now_ms)> has_neighbour)
      : has_neighbour_(std::move(has_neighbour)) {}

  /// Passes the time of some work. @return its milliseconds
  double work(double alone_ms) {
    const double taken_ms = alone_ms * factor();
    now_ms_ += taken_ms;
    return taken_ms;
  }
  [[nodiscard]] double factor() const { return clock_ * (has_neighbour_(now_ms_) ? 1.4 : 1.0); }
  void set_clock(double factor) { clock_ = factor; }

 private:
  std::function<bool(double)> has_neighbour_;
  double now_ms_ = 0.0;
  double clock_ = 1.0;
};

/// Nine milliseconds of ten with a neighbour.
bool mostly(double now_ms) { return std::fmod(now_ms, 100.0) >= 10.0; }

}  // namespace

TEST_CASE("A pulse tells when the core is shared", "[latency][unit]") {
  SharedCore core([](double now_ms) { return std::fmod(now_ms, 100.0) >= 50.0; });
  Pulse pulse([&] { return core.work(0.1); });
  for (int i = 0; i < 2000; ++i) {
    const bool is_alone = core.factor() == 1.0;
    // The first pulses are taken at the first question.
    if (i > 0) CHECK(pulse.is_quiet(0.05) == is_alone);
    if (i == 0) pulse.is_quiet(0.05);
  }
}

TEST_CASE("What is usual follows the clock of the processor", "[latency][unit]") {
  SharedCore core([](double) { return false; });
  Pulse pulse([&] { return core.work(0.1); });
  CHECK(pulse.is_quiet(0.05));
  core.set_clock(1.2);
  CHECK_FALSE(pulse.is_quiet(0.05));
  for (int i = 0; i < 4096; ++i) pulse.is_quiet(0.05);
  CHECK(pulse.is_quiet(0.05));
}

TEST_CASE("The processor's own pulse takes time, and about the same every time",
          "[latency][unit]") {
  double least_ms = Pulse::standard_beat_ms();
  for (int i = 0; i < 50; ++i) least_ms = std::min(least_ms, Pulse::standard_beat_ms());
  CHECK(least_ms > 0.001);
  Pulse pulse;
  int quiet = 0;
  for (int i = 0; i < 200; ++i) quiet += pulse.is_quiet(10.0) ? 1 : 0;
  CHECK(quiet > 100);
}

TEST_CASE("Only samples between two quiet pulses count", "[latency][property]") {
  SharedCore core(mostly);
  Pulse pulse([&] { return core.work(0.1); });
  Protocol protocol;
  protocol.max_unit_s = 10.0;
  const auto run = [&](int repeats) { return core.work(1.0 * repeats); };
  const auto with = std::get<Samples>(take_samples(run, protocol, &pulse));
  CHECK_FALSE(with.disturbed);
  CHECK(static_cast<int>(with.run_ms.size()) >= protocol.min_samples);
  for (const double run_ms : with.run_ms) CHECK(run_ms == Approx(1.0));

  protocol.quiet_ratio = 0.0;
  const auto without = std::get<Samples>(take_samples(run, protocol, &pulse));
  CHECK_FALSE(without.disturbed);
  CHECK(std::ranges::count_if(without.run_ms, [](double ms) { return ms > 1.3; }) > 0);
}

TEST_CASE("What no pulse shows, the samples show themselves", "[latency][unit]") {
  SharedCore core([](double) { return false; });
  Pulse pulse([&] { return core.work(0.1); });
  int calls = 0;
  // The memory is slow for two samples of three, once by less than a pulse may be.
  const auto run = [&](int repeats) {
    return core.work(repeats * std::array{1.0, 1.04, 1.2}[static_cast<std::size_t>(++calls % 3)]);
  };
  const auto samples = std::get<Samples>(take_samples(run, Protocol{}, &pulse)).run_ms;
  CHECK(samples.size() >= 6);
  for (const double run_ms : samples) CHECK(run_ms == Approx(1.0));
}

TEST_CASE("Of a few samples that differ widely the fewest that there must be are kept",
          "[latency][unit]") {
  SharedCore core([](double) { return false; });
  Pulse pulse([&] { return core.work(0.1); });
  Protocol protocol;
  protocol.max_unit_s = 0.02;
  int calls = 0;
  const auto run = [&](int repeats) { return core.work(repeats * (1.0 + 0.1 * ++calls)); };
  const auto samples = std::get<Samples>(take_samples(run, protocol, &pulse));
  CHECK_FALSE(samples.disturbed);
  CHECK(static_cast<int>(samples.run_ms.size()) == kFewestSamples);
}

TEST_CASE("Without a quiet moment the samples come as disturbed ones", "[latency][unit]") {
  bool has_neighbour = false;
  SharedCore core([&](double) { return has_neighbour; });
  Pulse pulse([&] { return core.work(0.1); });
  CHECK(pulse.is_quiet(0.05));
  has_neighbour = true;
  Protocol protocol;
  protocol.max_unit_s = 0.1;
  // Of these, too, only those near the fastest count.
  const double slow = GENERATE(1.0, 1.2);
  int calls = 0;
  const auto samples = std::get<Samples>(take_samples(
      [&](int repeats) { return core.work(repeats * (++calls % 2 == 0 ? 1.0 : slow)); }, protocol,
      &pulse));
  CHECK(samples.disturbed);
  CHECK(static_cast<int>(samples.run_ms.size()) > kFewestSamples);
  for (const double run_ms : samples.run_ms) CHECK(run_ms == Approx(1.4));
}

}  // namespace omnifit::latency
