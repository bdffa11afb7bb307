#include "latency_lut/sampling.hpp"

#include "core/rng.hpp"
#include "latency_lut/measurement.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace omnifit::latency {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string failure_text(const TimerResult& result) {
  const auto* failure = std::get_if<MeasurementFailure>(&result);
  REQUIRE(failure != nullptr);
  return failure->reason;
}

std::size_t num_samples(const TimerResult& result) {
  return std::get<Samples>(result).run_ms.size();
}

}  // namespace

TEST_CASE("Without variance the fewest samples are enough", "[latency][unit]") {
  Protocol protocol;
  int calls = 0;
  int warmup = 0;
  const TimerResult result = take_samples(
      [&](int repeats) {
        warmup += calls < protocol.warmup_runs && repeats == 1 ? 1 : 0;
        ++calls;
        return 0.5 * repeats;
      },
      protocol);
  CHECK(num_samples(result) == 20);
  CHECK(warmup == 5);
  CHECK(calls == 5 + 1 + 20);  // one call finds that a single run is long enough
  for (double run_ms : std::get<Samples>(result).run_ms) CHECK(run_ms == 0.5);
}

TEST_CASE("Short units are repeated until a sample is long enough", "[latency][unit]") {
  Protocol protocol;
  protocol.min_sample_ms = 1.0;
  int last_repeats = 0;
  const TimerResult result = take_samples(
      [&](int repeats) {
        last_repeats = repeats;
        return 0.01 * repeats;
      },
      protocol);
  CHECK(last_repeats == 128);  // the first power of two with at least 1 ms
  CHECK(std::get<Samples>(result).run_ms.front() == Approx(0.01));
}

TEST_CASE("Long samples make up for a coarse clock", "[latency][unit]") {
  Protocol protocol;
  double now_ms = 0.0;
  const auto coarse = [&](int repeats) {  // 0.3 ms a run, shown in whole milliseconds
    const double before_ms = std::floor(now_ms);
    now_ms += 0.3 * repeats;
    return std::floor(now_ms) - before_ms;
  };
  protocol.min_sample_ms = 10.0;
  const auto samples = std::get<Samples>(take_samples(coarse, protocol)).run_ms;
  for (double run_ms : samples) CHECK(run_ms == Approx(0.3).epsilon(0.1));
  protocol.min_sample_ms = 0.0;  // one tick is no sample
  CHECK(failure_text(take_samples(coarse, protocol)) == "1 run took 0 ms: the clock stands still");
}

TEST_CASE("Sampling goes on until the median is known, and no further", "[latency][unit]") {
  Protocol protocol;
  const auto run = [&](double noise) {
    core::Rng rng = core::Rng::stream(4, core::Purpose::kTest);
    return take_samples([&](int repeats) { return repeats * (1.0 + noise * rng.uniform()); },
                        protocol);
  };
  CHECK(num_samples(run(0.01)) == 20);
  const TimerResult noisy = run(0.1);
  CHECK(num_samples(noisy) > 20);
  CHECK(num_samples(noisy) < 400);
  auto sorted = std::get<Samples>(noisy).run_ms;
  std::sort(sorted.begin(), sorted.end());
  const MedianInterval interval = median_interval(sorted);
  CHECK(interval.high - interval.low <= 0.02 * sorted[sorted.size() / 2]);
}

TEST_CASE("Variance that never narrows ends at a limit, with its samples", "[latency][unit]") {
  Protocol protocol;
  bool slow = false;
  const auto two_speeds = [&](int repeats) {
    slow = !slow;
    return repeats * (slow ? 4.0 : 1.0);
  };
  protocol.max_unit_s = 1e6;
  CHECK(num_samples(take_samples(two_speeds, protocol)) == 400);
  protocol.max_unit_s = 0.25;  // about 100 runs of 2.5 ms
  const std::size_t limited = num_samples(take_samples(two_speeds, protocol));
  CHECK(limited > 80);
  CHECK(limited < 110);
}

TEST_CASE("A slow unit is still measured a few times", "[latency][unit]") {
  Protocol protocol;
  int calls = 0;
  const TimerResult result = take_samples(
      [&](int repeats) {
        ++calls;
        return 5000.0 * repeats;
      },
      protocol);
  CHECK(num_samples(result) == static_cast<std::size_t>(kFewestSamples));
  CHECK(calls == 1 + 1 + kFewestSamples);  // the warm-up is cut short as well
}

TEST_CASE("Times that cannot be true are failures", "[latency][error]") {
  const Protocol protocol;
  const auto constant = [&](double total_ms) {
    return take_samples([=](int) { return total_ms; }, protocol);
  };
  CHECK(failure_text(constant(kNan)) == "the time of 1 run is not a finite number: nan");
  CHECK(failure_text(constant(std::numeric_limits<double>::infinity())) ==
        "the time of 1 run is not a finite number: inf");
  CHECK(failure_text(constant(-0.5)) == "the clock moved back: 1 run took -0.5 ms");
  CHECK(failure_text(constant(0.0)) == "1048576 runs took 0 ms: the clock stands still");

  for (const int bad_call : {0, 5, 6, 17}) {  // warm-up, calibration, samples
    CAPTURE(bad_call);
    int calls = 0;
    const auto back_once = [&](int repeats) { return calls++ == bad_call ? -3.0 : 1.0 * repeats; };
    CHECK(failure_text(take_samples(back_once, protocol)) ==
          "the clock moved back: 1 run took -3 ms");
    calls = 0;
    const auto nan_once = [&](int repeats) { return calls++ == bad_call ? kNan : 1.0 * repeats; };
    CHECK(std::holds_alternative<MeasurementFailure>(take_samples(nan_once, protocol)));
  }
  int calls = 0;
  const auto zero_once = [&](int repeats) { return calls++ == 17 ? 0.0 : 1.0 * repeats; };
  CHECK(failure_text(take_samples(zero_once, protocol)) ==
        "1 run took 0 ms: the clock stands still");
}

TEST_CASE("Errors of the runner pass through", "[latency][error]") {
  const auto broken = [](int) -> double { throw std::runtime_error("device gone"); };
  CHECK_THROWS_WITH(take_samples(broken, Protocol{}), "device gone");
}

TEST_CASE("The interval of the median is that of the order statistics", "[latency][golden]") {
  std::vector<double> values;
  for (int i = 1; i <= 100; ++i) values.push_back(i);
  const auto interval = [&](std::size_t n) { return median_interval(std::span(values).first(n)); };
  CHECK(interval(100).low == 40.0);  // the textbook's ranks 40 and 61
  CHECK(interval(100).high == 61.0);
  CHECK(interval(20).low == 5.0);
  CHECK(interval(20).high == 16.0);
  CHECK(interval(6).low == 1.0);
  CHECK(interval(6).high == 6.0);
  CHECK(std::isinf(interval(5).high));
}

TEST_CASE("The interval of the median covers it", "[latency][property]") {
  core::Rng rng = core::Rng::stream(8, core::Purpose::kTest);
  for (const int n : {6, 11, 20, 50, 200}) {
    CAPTURE(n);
    int covered = 0;
    for (int trial = 0; trial < 500; ++trial) {
      std::vector<double> values;
      for (int i = 0; i < n; ++i) values.push_back(std::exp(rng.normal()));  // true median 1
      std::sort(values.begin(), values.end());
      const MedianInterval interval = median_interval(values);
      covered += interval.low <= 1.0 && 1.0 <= interval.high ? 1 : 0;
    }
    CHECK(covered >= 465);  // 93 % of 500; the interval promises 95 %
  }
}

TEST_CASE("In turns with a reference, a machine that flickers costs few samples",
          "[latency][unit]") {
  const Protocol protocol;
  int calls = 0;
  const auto machine = [&](double quiet_ms) {
    return [&calls, quiet_ms](int repeats) {
      return repeats * quiet_ms * (++calls / 10 % 2 == 0 ? 1.0 : 1.4);
    };
  };
  const TimerResult result = take_paired_samples(machine(2.0), machine(4.0), protocol);
  const Samples& samples = std::get<Samples>(result);
  CHECK(samples.run_ms.size() == static_cast<std::size_t>(protocol.min_samples));
  REQUIRE(samples.reference_ms.size() == samples.run_ms.size());
  CHECK_FALSE(samples.disturbed);
  const Timing timing = std::get<Measurement>(summarise(result)).timings.front();
  CHECK(timing.median_ms == Approx(0.5 * timing.reference_ms));
  calls = 0;
  CHECK(num_samples(take_samples(machine(2.0), protocol)) > 2 * samples.run_ms.size());
}

TEST_CASE("Samples in turns end at a limit", "[latency][unit]") {
  Protocol protocol;
  int runs = 0;
  const auto slow = [&](int repeats) {
    ++runs;
    return 5000.0 * repeats;
  };
  CHECK(num_samples(take_paired_samples(slow, slow, protocol)) ==
        static_cast<std::size_t>(kFewestSamples));
  CHECK(runs == 2 + 2 + 2 * kFewestSamples);
  protocol.max_unit_s = 1e6;
  bool fast = false;
  const auto two_speeds = [&](int repeats) {
    fast = !fast;
    return repeats * (fast ? 1.0 : 4.0);
  };
  const auto steady = [](int repeats) { return 3.0 * repeats; };
  CHECK(num_samples(take_paired_samples(two_speeds, steady, protocol)) == 400);
}

TEST_CASE("A clock that fails beside the reference is a failure", "[latency][error]") {
  const Protocol protocol;
  const auto good = [](int repeats) { return 1.0 * repeats; };
  const auto failing = [](double value, int after) {
    return [=, calls = 0](int repeats) mutable { return ++calls > after ? value : 1.0 * repeats; };
  };
  for (const int after : {0, 1, 2}) {
    CAPTURE(after);
    CHECK(failure_text(take_paired_samples(good, failing(-1.0, after), protocol)) ==
          "the clock moved back: 1 run took -1 ms");
    CHECK(failure_text(take_paired_samples(failing(-1.0, 5 + after), good, protocol)) ==
          "the clock moved back: 1 run took -1 ms");
  }
  CHECK(failure_text(take_paired_samples(good, failing(0.0, 1), protocol)) ==
        "1 run took 0 ms: the clock stands still");
}

TEST_CASE("Samples are condensed to median, percentiles and count", "[latency][unit]") {
  const auto result = summarise(Samples{{5, 1, 4, 2, 3, 6, 8, 7, 11, 10, 9}});
  CHECK(std::get<Measurement>(result) == measurement_of({{6.0, 2.0, 10.0, 11}}));
  CHECK(std::get<Measurement>(summarise(Samples{{2.0}})) == measurement_of({{2.0, 2.0, 2.0, 1}}));
  CHECK(std::get<Measurement>(summarise(Samples{{1.0, 2.0}})).median_ms == 1.5);
}

TEST_CASE("Of several timings the faster half counts", "[latency][unit]") {
  const auto counted = [](const std::vector<double>& medians_ms) {
    std::vector<Timing> timings;
    for (const double ms : medians_ms) timings.push_back({ms, ms, ms, 20});
    return measurement_of(timings).median_ms;
  };
  CHECK(counted({3.0}) == 3.0);
  CHECK(counted({3.0, 2.0}) == 2.0);
  CHECK(counted({3.0, 1.0, 2.0}) == 1.5);
  CHECK(counted({9.0, 8.0, 3.0, 1.0, 2.0, 7.0}) == 2.0);
  CHECK(counted({9.0, 8.0, 3.0, 1.0, 2.0, 7.0, 4.0}) == 2.5);

  const Timing quiet{2.0, 1.5, 2.5, 30};
  const Timing slower{2.2, 2.1, 2.3, 20};
  const Measurement both = measurement_of({slower, quiet, slower, quiet, slower});
  CHECK(both.median_ms == Approx((2.0 + 2.0 + 2.2) / 3.0));
  CHECK(both.p10_ms == Approx((1.5 + 1.5 + 2.1) / 3.0));
  CHECK(both.p90_ms == Approx((2.5 + 2.5 + 2.3) / 3.0));
  CHECK(both.n == 80);
  CHECK(both.rounds == 5);
  CHECK(disagreement(both, 5).value() == Approx(0.1));
  CHECK_FALSE(disagreement(both, 6));
  // Equal timings give their value to the last bit, however many there are.
  for (int rounds = 1; rounds < 20; ++rounds) {
    CHECK(counted(std::vector<double>(static_cast<std::size_t>(rounds), 0.1)) == 0.1);
  }
}

TEST_CASE("Of disturbed timings a quarter counts", "[latency][unit]") {
  const Timing disturbed{3.0, 2.9, 3.1, 20, true};
  const Timing quiet{2.0, 1.5, 2.5, 30};
  const Measurement one_quiet = measurement_of({disturbed, quiet, disturbed, disturbed});
  CHECK(one_quiet.median_ms == 2.0);
  CHECK(one_quiet.n == 30);
  CHECK(disagreement(one_quiet, 1).value() == 0.0);
  CHECK_FALSE(disagreement(one_quiet, 2));
  CHECK(measurement_of({disturbed}).median_ms == 3.0);
  // A fast one is as good as any.
  const Timing lucky{1.9, 1.9, 1.9, 20, true};
  CHECK(measurement_of({quiet, quiet, lucky, quiet}).median_ms == Approx(1.95));
}

TEST_CASE("Of timings in turns with a reference the middle of the ratios counts",
          "[latency][unit]") {
  const auto pair = [](double median_ms, double reference_ms) {
    return Timing{median_ms, median_ms / 2.0, median_ms * 2.0, 10, true, reference_ms};
  };
  // Ratios 0.5, 0.5, 0.55 and 0.9, on a machine that slows down to half its speed.
  const std::vector<Timing> timings{pair(2.0, 4.0), pair(4.0, 8.0), pair(3.3, 6.0), pair(3.6, 4.0)};
  const Measurement measured = measurement_of(timings, 4.0);
  CHECK(measured.median_ms == Approx(4.0 * (0.5 + 0.55) / 2.0));
  CHECK(measured.p10_ms == Approx(measured.median_ms / 2.0));
  CHECK(measured.p90_ms == Approx(measured.median_ms * 2.0));
  CHECK(measured.n == 20);
  CHECK(measured.rounds == 4);
  CHECK(measured.timings == timings);
  CHECK(measurement_of(timings, 8.0).median_ms == Approx(2.0 * measured.median_ms));
  CHECK(disagreement(measured, 4).value() == Approx(0.1));
  CHECK_FALSE(disagreement(measured, 5).has_value());

  // One that was timed alone does not count beside them, and alone counts as ever.
  std::vector<Timing> mixed = timings;
  mixed.push_back({1.0, 1.0, 1.0, 10});
  CHECK(measurement_of(mixed, 4.0).median_ms == measured.median_ms);
  CHECK(measurement_of({mixed.back()}, 4.0).median_ms == 1.0);
  CHECK(measurement_of(timings).median_ms == 2.0);
}

TEST_CASE("Samples in turns are condensed to the median of their ratios", "[latency][unit]") {
  Samples samples{{1.0, 2.0, 6.0}};
  samples.reference_ms = {2.0, 8.0, 12.0};
  const Measurement measured = std::get<Measurement>(summarise(samples));
  CHECK(measured.timings.front().median_ms == 2.0);
  CHECK(measured.timings.front().reference_ms == 4.0);
}

TEST_CASE("A timer's nonsense becomes a failure with its text", "[latency][error]") {
  const auto reason = [](const TimerResult& result) {
    return std::get<MeasurementFailure>(summarise(result)).reason;
  };
  CHECK(reason(MeasurementFailure{"out of memory"}) == "out of memory");
  CHECK(reason(Samples{}) == "the timer returned no samples");
  CHECK(reason(Samples{{1.0, kNan}}) == "the timer returned a time of nan ms");
  CHECK(reason(Samples{{0.0, 1.0}}) == "the timer returned a time of 0 ms");
  CHECK(reason(Samples{{1.0, -2.0}}) == "the timer returned a time of -2 ms");
}

}  // namespace omnifit::latency
