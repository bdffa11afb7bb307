#include "latency_lut/profiler.hpp"

#include "core/error.hpp"
#include "tests/latency_lut/profile_bench.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <memory>
#include <optional>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;

using test::Bench;
using test::contents;
using test::kIo;
using test::StopAfter;
using test::StopGuard;

/// What each task was announced with and how far it came.
class CountingProgress final : public core::ProgressSink {
 public:
  struct Task {
    std::string name;
    std::int64_t total = 0;
    std::int64_t done = 0;
  };
  void begin(std::string_view task, std::int64_t total, std::string_view,
             std::int64_t done) override {
    tasks.push_back({std::string(task), total, done});
  }
  void advance(std::int64_t units, std::string_view) override { tasks.back().done += units; }
  void message(std::string_view) override {}
  void end() override {}
  std::vector<Task> tasks;
};

/// A timer whose every answer is the same nonsense, or none.
class NonsenseTimer final : public LayerTimer {
 public:
  explicit NonsenseTimer(std::optional<TimerResult> answer) : answer_(std::move(answer)) {}
  void time(std::span<const space::NetworkPlan> plans, const Protocol&, const space::NetworkPlan*,
            const OnResult& on_result) override {
    for (std::size_t i = 0; answer_ && i < plans.size(); ++i) on_result(i, *answer_);
  }
  [[nodiscard]] std::string describe() override { return "{}"; }

 private:
  std::optional<TimerResult> answer_;
};

/// A device that goes away after some results.
class VanishingTimer final : public LayerTimer {
 public:
  explicit VanishingTimer(int results) : left_(results) {}
  void time(std::span<const space::NetworkPlan> plans, const Protocol& protocol,
            const space::NetworkPlan* reference, const OnResult& on_result) override {
    device_.time(plans, protocol, reference, [&](std::size_t index, const TimerResult& result) {
      if (left_-- == 0) throw EnvironmentError("the device went away");
      on_result(index, result);
    });
  }
  [[nodiscard]] std::string describe() override { return device_.describe(); }

 private:
  test::FakeTimer device_;
  int left_;
};

}  // namespace

TEST_CASE("A profile measures every unit and learns the correction", "[latency][unit]") {
  Bench bench;
  test::FakeTimer timer;
  CountingProgress progress;
  bench.progress = &progress;
  const ProfileReport report = bench.profile(timer);
  const auto units = space::distinct_units(bench.space, kIo);
  CHECK(report.num_units == static_cast<int>(units.size()));
  CHECK(report.num_measured == report.num_units + report.num_networks);
  CHECK(report.table.size() == units.size());
  CHECK(report.failures.empty());
  CHECK(report.num_networks == 36);
  CHECK(report.num_rounds == bench.config.min_rounds);
  CHECK(report.num_unsettled == 0);
  CHECK(report.num_disturbed_stretches == 0);
  CHECK(report.max_slowdown_ratio == 0.0);
  for (const auto& unit : units) {
    CHECK(report.table.unit_ms(unit).value() ==
          Approx(test::FakeTimer::true_ms(unit)).epsilon(0.011));
  }
  CHECK(report.table.correction().scale == Approx(1.2).epsilon(0.03));
  CHECK(report.table.correction().offset_ms == Approx(0.05).margin(0.01));
  CHECK(report.table.correction().num_fit == 12);
  CHECK(report.check.num_check == 24);
  CHECK(report.check.mape.value() < 0.01);
  CHECK(report.check.within_10_percent == 1.0);
  CHECK(report.check.kendall_tau.value() > 0.9);

  CHECK(bench.project.count("layer_latency WHERE source = 'measured'") == report.num_units);
  CHECK(bench.project.count("network_latency WHERE purpose = 'correction'") == 12);
  CHECK(bench.project.count("network_latency WHERE purpose = 'check'") == 24);
  CHECK(bench.stored_table().hash() == report.table.hash());

  // Units once; then networks and units again, taking turns; then networks again.
  const auto num_rounds = static_cast<std::size_t>(bench.config.min_rounds);
  REQUIRE(progress.tasks.size() == num_rounds + 1);
  CHECK(progress.tasks.front().total == report.num_units);
  for (std::size_t i = 1; i < num_rounds; ++i) {
    CHECK(progress.tasks[i].total == 36 + report.num_units);
  }
  CHECK(progress.tasks.back().total == 36);
  for (const auto& task : progress.tasks) CHECK(task.done == task.total);
  for (const char* table : {"layer_latency", "network_latency"}) {
    CHECK(bench.project.count(
              fmt::format("{} WHERE rounds = {} AND json_array_length(timings) = {}", table,
                          num_rounds, num_rounds)) == bench.project.count(table));
  }
}

TEST_CASE("A finished profile measures nothing when run again", "[latency][unit]") {
  Bench bench;
  test::FakeTimer first;
  const ProfileReport report = bench.profile(first);
  test::FakeTimer second;
  CountingProgress progress;
  bench.progress = &progress;
  const ProfileReport again = bench.profile(second);
  CHECK(second.num_calls() == 0);
  CHECK(again.num_measured == 0);
  CHECK(again.table.hash() == report.table.hash());
  CHECK(again.check == report.check);
  CHECK(progress.tasks[0].done == report.num_units);

  // Another protocol is another measurement.
  bench.config.protocol.min_samples = 10;
  test::FakeTimer third;
  CHECK(bench.profile(third).num_measured == report.num_units + report.num_networks);
}

TEST_CASE("Stopped anywhere, a profile goes on to the same result", "[latency][property]") {
  test::FakeTimerOptions options;
  options.takes_turns = GENERATE(false, true);
  Bench undisturbed;
  test::FakeTimer timer(options);
  const ProfileReport expected = undisturbed.profile(timer);
  const int num_rows = expected.num_units + expected.num_networks;
  const int num_timings = undisturbed.config.min_rounds * num_rows;

  const int stop_after = GENERATE(1, 2, 7, 16, 17, 30, 45, 60, 100);
  REQUIRE(stop_after < num_timings);
  CAPTURE(stop_after);
  const StopGuard guard;
  Bench bench;
  StopAfter progress(stop_after);
  bench.progress = &progress;
  test::FakeTimer before(options);
  CHECK_THROWS_AS(bench.profile(before), Interrupted);
  // The sentinel's first timing is no task.
  const auto timings = [&bench](const char* table) {
    std::int64_t sum = 0;
    bench.project.db.read([&](SQLite::Database& sql) {
      sum = sql.execAndGet(std::string("SELECT coalesce(sum(rounds), 0) FROM ") + table).getInt64();
    });
    return sum;
  };
  CHECK(timings("layer_latency") + timings("network_latency") == stop_after + 1);
  core::request_stop(false);
  bench.progress = &bench.quiet;
  test::FakeTimer after(options);
  const ProfileReport report = bench.profile(after);
  CHECK(report.table.hash() == expected.table.hash());
  CHECK(report.check == expected.check);
  CHECK(contents(bench) == contents(undisturbed));

  // Only the stretch that was cut off cannot confirm itself and may be timed once more.
  CHECK(timings("layer_latency") + timings("network_latency") <=
        num_timings + bench.config.sentinel_every);
}

TEST_CASE("A machine that slows down for a while gives the times of the quiet one",
          "[latency][unit]") {
  Bench bench;
  bench.config.sentinel_every = 8;
  test::FakeTimerOptions options;
  options.slow_down = [](int call) { return call >= 14 && call < 24 ? 1.5 : 1.0; };
  test::FakeTimer timer(options);
  const ProfileReport report = bench.profile(timer);
  CHECK(report.num_disturbed_stretches >= 1);
  CHECK(report.max_slowdown_ratio == Approx(0.5).epsilon(0.05));
  CHECK(report.num_unsettled == 0);
  CHECK(report.num_rounds == bench.config.min_rounds + 1);
  for (const auto& unit : space::distinct_units(bench.space, kIo)) {
    CHECK(report.table.unit_ms(unit).value() ==
          Approx(test::FakeTimer::true_ms(unit)).epsilon(0.011));
  }
}

TEST_CASE("A machine that flickers is measured in its fast moments", "[latency][property]") {
  Bench bench;
  bench.config.max_rounds = 12;
  test::FakeTimerOptions options;
  options.slow_down = [](int call) {
    return core::stable_hash(std::to_string(call)) % 2 ? 1.4 : 1.0;
  };
  test::FakeTimer timer(options);
  const ProfileReport report = bench.profile(timer);
  CHECK(report.num_disturbed_stretches > 0);
  int fast = 0;
  for (const auto& unit : space::distinct_units(bench.space, kIo)) {
    fast += report.table.unit_ms(unit).value() < 1.02 * test::FakeTimer::true_ms(unit) ? 1 : 0;
  }
  CHECK(fast >= report.num_units * 95 / 100);
  CHECK(report.check.mape.value() < 0.03);
}

TEST_CASE("Networks that take turns with a reference are as well known on a machine that flickers",
          "[latency][property]") {
  const auto machine = [](bool flickers) {
    test::FakeTimerOptions options;
    options.takes_turns = true;
    if (flickers) {
      options.slow_down = [](int call) {
        return 1.0 + 0.1 * static_cast<double>(core::stable_hash(std::to_string(call)) % 5);
      };
    }
    return test::FakeTimer(options);
  };
  const auto network_ms = [](Bench& bench) {
    std::vector<double> median_ms;
    bench.project.db.read([&](SQLite::Database& sql) {
      SQLite::Statement rows(sql, "SELECT median_ms FROM network_latency ORDER BY arch_id");
      while (rows.executeStep()) median_ms.push_back(rows.getColumn(0).getDouble());
    });
    return median_ms;
  };
  Bench quiet_bench;
  test::FakeTimer quiet = machine(false);
  const ProfileReport expected = quiet_bench.profile(quiet);
  Bench bench;
  test::FakeTimer flickering = machine(true);
  const ProfileReport report = bench.profile(flickering);
  CHECK(expected.check.kendall_tau.value() > 0.99);
  CHECK(report.check.kendall_tau.value() > 0.9);
  const std::vector<double> quiet_ms = network_ms(quiet_bench);
  const std::vector<double> measured_ms = network_ms(bench);
  REQUIRE(measured_ms.size() == quiet_ms.size());
  // As if the machine had always been as fast as in the faster quarter of its time.
  const double factor = measured_ms.front() / quiet_ms.front();
  CHECK((factor >= 1.0 && factor <= 1.2));
  for (std::size_t i = 0; i < quiet_ms.size(); ++i) {
    CHECK(measured_ms[i] == Approx(factor * quiet_ms[i]).epsilon(0.002));
  }
}

TEST_CASE("What the timer itself calls disturbed is timed again, and blames nobody else",
          "[latency][unit]") {
  Bench bench;
  bench.config.sentinel_every = 8;
  bench.config.max_rounds = 40;
  test::FakeTimerOptions options;
  options.slow_down = [](int call) {
    return call >= 20 && core::stable_hash(std::to_string(call)) % 3 == 0 ? 1.4 : 1.0;
  };
  options.knows_when_slow = true;
  test::FakeTimer timer(options);
  const ProfileReport report = bench.profile(timer);
  // Its sentinel is slow in every third stretch or so, too.
  CHECK(report.num_disturbed_stretches == 0);
  CHECK(report.num_unsettled == 0);
  CHECK(report.num_rounds > bench.config.min_rounds);
  for (const auto& unit : space::distinct_units(bench.space, kIo)) {
    CHECK(report.table.unit_ms(unit).value() ==
          Approx(test::FakeTimer::true_ms(unit)).epsilon(0.011));
  }
}

TEST_CASE("A machine that stays slow is reported, after a bounded number of rounds",
          "[latency][unit]") {
  Bench bench;
  bench.config.max_rounds = 4;
  test::FakeTimerOptions options;
  options.slow_down = [](int call) { return call >= 14 ? 1.5 : 1.0; };
  test::FakeTimer timer(options);
  const ProfileReport report = bench.profile(timer);
  CHECK(report.num_rounds == 4);
  CHECK(report.num_unsettled > 0);
  CHECK(report.num_disturbed_stretches > 0);
  const int rows = report.num_units + report.num_networks;
  CHECK(timer.num_calls() <= 4 * rows + 4 * 2 * (rows / bench.config.sentinel_every + 1) + 6);
}

TEST_CASE("After its time limit a profile only finishes the first round", "[latency][unit]") {
  Bench bench;
  bench.config.time_limit_s = 1e-9;
  test::FakeTimer timer;
  const ProfileReport report = bench.profile(timer);
  CHECK(report.num_rounds == 1);
  CHECK(report.num_unsettled == report.num_units + report.num_networks);
  CHECK(report.check.mape.value() < 0.01);
}

TEST_CASE("A device that goes away half-way keeps what it measured", "[latency][error]") {
  Bench bench;
  const int results = GENERATE(5, 30, 55);
  VanishingTimer vanishing(results);
  CHECK_THROWS_AS(bench.profile(vanishing), EnvironmentError);
  const std::int64_t stored =
      bench.project.count("layer_latency") + bench.project.count("network_latency");
  CHECK(stored > 0);
  test::FakeTimer back;
  const ProfileReport report = bench.profile(back);
  CHECK(report.num_measured == report.num_units + report.num_networks - stored);
  CHECK(report.num_unsettled == 0);
}

TEST_CASE("A cold start does not become the measure", "[latency][unit]") {
  Bench bench;
  test::FakeTimerOptions options;
  options.slow_down = [](int call) { return call == 0 ? 3.0 : (call == 1 ? 1.4 : 1.0); };
  test::FakeTimer timer(options);
  const ProfileReport report = bench.profile(timer);
  CHECK(report.num_disturbed_stretches == 0);
  CHECK(report.max_slowdown_ratio == 0.0);
}

TEST_CASE("Units that fail are stored as failures and their archs left out", "[latency][error]") {
  Bench bench;
  const auto plan = space::lower(bench.space, space::largest(bench.space), kIo);
  test::FakeTimerOptions options;
  options.failing = {plan.units[2].spec, plan.units[4].spec};
  test::FakeTimer timer(options);
  const ProfileReport report = bench.profile(timer);
  CHECK(report.failures.size() == 2);
  CHECK_THAT(report.failures.front(), ContainsSubstring(": fake failure"));
  CHECK(bench.project.count("layer_latency WHERE failure = 'fake failure'") == 2);
  CHECK_FALSE(report.table.estimate_ms(plan));
  CHECK(report.table.size() + 2 == static_cast<std::size_t>(report.num_units));
  CHECK(report.check.num_check > 0);

  test::FakeTimer again;
  CHECK(bench.profile(again).failures.size() == 2);
  CHECK(again.num_calls() == 0);
}

TEST_CASE("A failing candidate does not become the sentinel", "[latency][unit]") {
  Bench bench;
  test::FakeTimer probe;
  bench.profile(probe);
  space::LayerSpec sentinel;
  int most = 0;
  for (const auto& [unit, count] : probe.unit_counts()) {
    if (count > most) {
      most = count;
      sentinel = unit;
    }
  }
  REQUIRE(most > 2);
  Bench other;
  test::FakeTimerOptions options;
  options.failing = {sentinel};
  test::FakeTimer timer(options);
  CHECK(other.profile(timer).failures.size() == 1);
  CHECK(timer.unit_counts().at(sentinel) == 1);
}

TEST_CASE("A device on which nothing can be measured ends the profile", "[latency][error]") {
  Bench bench;
  const auto run = [&](std::optional<TimerResult> answer) {
    NonsenseTimer timer(std::move(answer));
    bench.profile(timer);
  };
  CHECK_THROWS_AS(run(MeasurementFailure{"device gone"}), EnvironmentError);
  CHECK_THROWS_WITH(run(MeasurementFailure{"device gone"}),
                    ContainsSubstring("units of space 'tiny' could be measured; ") &&
                        ContainsSubstring(": device gone"));
  const auto reason = [&](std::optional<TimerResult> answer) {
    bench.project.db.write([&](SQLite::Database& sql) {
      delete_layer_latencies(sql, bench.device, protocol_hash(bench.config.protocol));
    });
    try {
      run(std::move(answer));
    } catch (const EnvironmentError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK_THAT(reason(std::nullopt), ContainsSubstring("the timer returned no result"));
  CHECK_THAT(reason(Samples{{std::nan("")}}),
             ContainsSubstring("the timer returned a time of nan ms"));
  CHECK_THAT(reason(Samples{{0.0}}), ContainsSubstring("the timer returned a time of 0 ms"));
}

TEST_CASE("Units every arch needs must be measurable, and some whole network", "[latency][error]") {
  Bench bench;
  const auto plan = space::lower(bench.space, space::smallest(bench.space), kIo);
  test::FakeTimerOptions options;
  options.failing = {plan.units.back().spec};  // the classifier
  test::FakeTimer no_classifier(options);
  CHECK_THROWS_AS(bench.profile(no_classifier), EnvironmentError);
  CHECK_THROWS_WITH(bench.profile(no_classifier),
                    ContainsSubstring("every arch of space 'tiny' uses a unit that could not be "
                                      "measured; 1 of") &&
                        ContainsSubstring("fake failure"));
  Bench other;
  options.failing.clear();
  options.networks_fail = true;
  test::FakeTimer no_networks(options);
  CHECK_THROWS_WITH(other.profile(no_networks),
                    ContainsSubstring("no whole network could be measured; ") &&
                        ContainsSubstring(": fake failure"));
}

TEST_CASE("Without correction networks the estimate is the plain sum", "[latency][unit]") {
  Bench bench;
  bench.config.correction_networks = 0;
  bench.config.check_networks = 0;
  test::FakeTimer timer;
  const ProfileReport report = bench.profile(timer);
  CHECK(report.table.correction() == Correction{});
  CHECK(report.check == EstimateCheck{});
  CHECK(bench.project.count("network_latency") == 0);
  CHECK(bench.project.count("latency_model WHERE num_check = 0 AND mape IS NULL") == 1);
}

TEST_CASE("The profile section is read strictly", "[latency][error]") {
  const auto read = [](const std::string& yaml) {
    return core::read_config<ProfileConfig>(core::parse_yaml(yaml, "job.yaml"));
  };
  CHECK(read("{}") == ProfileConfig{});
  ProfileConfig config = read("{min_samples: 10, max_unit_s: 0.5, check_networks: 8}");
  CHECK(config.protocol.min_samples == 10);
  CHECK(config.protocol.max_unit_s == 0.5);
  CHECK(config.check_networks == 8);
  CHECK(read(core::write_config(config)) == config);
  CHECK_THROWS_WITH(read("{min_samples: 500}"),
                    ContainsSubstring("must be at least min_samples (500), got 400"));
  CHECK_THROWS_AS(read("{max_unit_s: 0}"), ConfigError);
  CHECK_THROWS_AS(read("{min_samples: 1}"), ConfigError);
  CHECK_THROWS_WITH(read("{warmup: 3}"), ContainsSubstring("warmup_runs"));
}

TEST_CASE("Protocol and device identity follow every field", "[latency][unit]") {
  const Protocol protocol;
  CHECK(protocol_json(protocol) ==
        R"({"warmup_runs": 5, "min_samples": 20, "max_samples": 400, "min_sample_ms": 0.2, )"
        R"("target_rel_ci": 0.02, "max_unit_s": 0.3, "quiet_ratio": 0.05, "near_ratio": 0.025, )"
        R"("batch_size": 1})");
  Protocol other = protocol;
  other.target_rel_ci = 0.03;
  CHECK(protocol_hash(protocol) == protocol_hash(Protocol{}));
  CHECK(protocol_hash(other) != protocol_hash(protocol));

  const DeviceRow device{"a", "b", 1, "float32", "{}"};
  CHECK(device_fingerprint(device) == device_fingerprint(DeviceRow{"a", "b", 1, "float32", "{}"}));
  for (const DeviceRow& changed :
       {DeviceRow{"ab", "", 1, "float32", "{}"}, DeviceRow{"a", "c", 1, "float32", "{}"},
        DeviceRow{"a", "b", 2, "float32", "{}"}, DeviceRow{"a", "b", 1, "int8", "{}"},
        DeviceRow{"a", "b", 1, "float32", "{ }"}}) {
    CHECK(device_fingerprint(changed) != device_fingerprint(device));
  }
}

}  // namespace omnifit::latency
