#include "core/error.hpp"
#include "tests/latency_lut/profile_bench.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <set>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::Bench;
using test::contents;
using test::kIo;

int share_of(double share, int num_units) {
  return std::max(KernelRegressor::kMinUnits, static_cast<int>(std::ceil(share * num_units)));
}

}  // namespace

TEST_CASE("Of a share of the units measured, the rest is estimated and says so",
          "[latency][unit]") {
  Bench bench("mbv3_32px");
  bench.config.share = 0.25;
  test::FakeTimer timer;
  const ProfileReport report = bench.profile(timer);
  const auto units = space::distinct_units(bench.space, kIo);
  REQUIRE(report.num_units == static_cast<int>(units.size()));
  const int num_chosen = share_of(0.25, report.num_units);
  CHECK(report.num_estimated == report.num_units - num_chosen);
  CHECK(report.num_measured == num_chosen + report.num_networks);
  CHECK(static_cast<int>(timer.unit_counts().size()) == num_chosen);
  CHECK(bench.project.count("layer_latency") == num_chosen);
  CHECK(bench.project.count("layer_estimate WHERE deviation_ms > 0") == report.num_estimated);
  CHECK(report.check.mape.value() < 0.02);

  // Later stages estimate the same, and know what was not measured.
  const LatencyTable stored = bench.stored_table();
  CHECK(stored.hash() == report.table.hash());
  CHECK(stored.estimates() == report.table.estimates());
  const space::Arch largest = space::largest(bench.space);
  const space::NetworkPlan plan = space::lower(bench.space, largest, kIo);
  const LatencyTable::NetworkEstimate estimate = stored.estimate(plan).value();
  CHECK(estimate.num_estimated > 0);
  CHECK(estimate.latency.deviation_ms > 0.0);
  CHECK(estimate.latency.time_ms == Approx(timer.true_ms(plan)).epsilon(0.05));
  CHECK(stored.compile(bench.space, kIo).missing().empty());

  LatencyModelRow model;
  bench.project.db.read(
      [&](SQLite::Database& sql) { model = get_latency_model(sql, bench.run).value(); });
  CHECK(model.num_estimated == report.num_estimated);
  CHECK((model.mean_rel_deviation > 0.0 && model.mean_rel_deviation < 0.2));
}

TEST_CASE("A share that is raised measures the missing units alone", "[latency][unit]") {
  Bench bench;
  bench.config.share = 0.5;
  test::FakeTimer first;
  const ProfileReport half = bench.profile(first);
  REQUIRE(half.num_estimated > 0);
  bench.config.share = 1.0;
  test::FakeTimer second;
  const ProfileReport whole = bench.profile(second);
  CHECK(whole.num_measured == half.num_estimated);
  CHECK(whole.num_estimated == 0);
  CHECK(bench.project.count("layer_estimate") == 0);
  CHECK(bench.stored_table().estimates().empty());
  // Only the sentinel belongs to both.
  int again = 0;
  for (const auto& [unit, count] : second.unit_counts()) {
    again += first.unit_counts().contains(unit) ? 1 : 0;
  }
  CHECK(again <= 1);
  Bench at_once;
  test::FakeTimer timer;
  CHECK(at_once.profile(timer).table.size() == whole.table.size());

  // And back: what is measured is never estimated.
  bench.config.share = 0.5;
  test::FakeTimer third;
  CHECK(bench.profile(third).num_estimated == 0);
  CHECK(third.num_calls() == 0);
}

TEST_CASE("Stopped anywhere, a profile of a share goes on to the same result",
          "[latency][property]") {
  Bench undisturbed;
  undisturbed.config.share = 0.5;
  test::FakeTimer timer;
  const ProfileReport expected = undisturbed.profile(timer);
  const int stop_after = GENERATE(1, 7, 12, 30, 60);
  CAPTURE(stop_after);
  const test::StopGuard guard;
  Bench bench;
  bench.config.share = 0.5;
  test::StopAfter progress(stop_after);
  bench.progress = &progress;
  test::FakeTimer before;
  CHECK_THROWS_AS(bench.profile(before), Interrupted);
  CHECK(bench.project.count("layer_estimate") == 0);
  core::request_stop(false);
  bench.progress = &bench.quiet;
  test::FakeTimer after;
  const ProfileReport report = bench.profile(after);
  CHECK(report.table.hash() == expected.table.hash());
  CHECK(contents(bench) == contents(undisturbed));
}

TEST_CASE("A unit that failed is not estimated", "[latency][error]") {
  Bench probe;
  probe.config.share = 0.5;
  test::FakeTimer timer;
  probe.profile(timer);
  Bench bench;
  bench.config.share = 0.5;
  const auto plan = space::lower(bench.space, space::largest(bench.space), kIo);
  test::FakeTimerOptions options;
  for (const auto& planned : plan.units) {
    if (timer.unit_counts().contains(planned.spec)) options.failing = {planned.spec};
  }
  REQUIRE(options.failing.size() == 1);
  test::FakeTimer failing(options);
  // The last unit of every network, or one that only the largest has.
  try {
    const ProfileReport report = bench.profile(failing);
    CHECK(report.failures.size() == 1);
    CHECK_FALSE(report.table.estimate(plan));
    CHECK_FALSE(report.table.estimates().contains(*options.failing.begin()));
  } catch (const EnvironmentError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("uses a unit that could not be measured"));
  }
}

TEST_CASE("Too few units to estimate the others from are told", "[latency][error]") {
  Bench probe;
  probe.config.share = 0.01;
  test::FakeTimer timer;
  CHECK(probe.profile(timer).num_units - probe.profile(timer).num_estimated ==
        KernelRegressor::kMinUnits);
  Bench bench;
  bench.config.share = 0.01;
  test::FakeTimerOptions options;
  options.failing = {timer.unit_counts().begin()->first};
  test::FakeTimer failing(options);
  CHECK_THROWS_AS(bench.profile(failing), EnvironmentError);
  CHECK_THROWS_WITH(bench.profile(failing),
                    ContainsSubstring("only 7 units of space 'tiny' could be measured, at least 8 "
                                      "are needed to estimate the others from; ") &&
                        ContainsSubstring("fake failure"));
}

TEST_CASE("A share is a number above 0, at most 1", "[latency][error]") {
  const auto read = [](const std::string& yaml) {
    return core::read_config<ProfileConfig>(core::parse_yaml(yaml, "job.yaml"));
  };
  CHECK(read("{share: 0.25}").share == 0.25);
  CHECK(read(core::write_config(read("{share: 0.25}"))) == read("{share: 0.25}"));
  for (const char* share : {"0", "-0.5", "1.01", ".nan"}) {
    CAPTURE(share);
    CHECK_THROWS_WITH(read(std::string("{share: ") + share + "}"), ContainsSubstring("share"));
  }
}

}  // namespace omnifit::latency
