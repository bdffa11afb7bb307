#include "latency_lut/latency_table.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "latency_lut/latency_store.hpp"
#include "latency_lut/network_choice.hpp"
#include "latency_lut/profile_config.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_timer.hpp"
#include "tests/support/project.hpp"

#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;

const space::TaskIo kIo{3, 10};

space::SearchSpace shipped(const std::string& name) {
  return space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space" /
                                  (name + ".yaml"));
}

std::map<space::LayerSpec, double> true_times(const space::SearchSpace& space) {
  std::map<space::LayerSpec, double> times;
  for (const auto& unit : space::distinct_units(space, kIo)) {
    times[unit] = test::FakeTimer::true_ms(unit);
  }
  return times;
}

}  // namespace

TEST_CASE("Estimate, naive sum and compiled cost agree", "[latency][property]") {
  const auto space = shipped(GENERATE(as<std::string>{}, "tiny", "mbv3_32px"));
  const auto times = true_times(space);
  const LatencyTable table(times, Correction{1.25, 0.04, 12});
  const space::AdditiveCost cost = table.compile(space, kIo);
  CHECK(cost.missing().empty());
  core::Rng rng = core::Rng::stream(6, core::Purpose::kTest);
  for (int i = 0; i < 200; ++i) {
    const space::Arch arch = space::sample(space, rng);
    CAPTURE(space::to_text(space, arch));
    const space::NetworkPlan plan = space::lower(space, arch, kIo);
    double naive = 0.0;
    for (const auto& unit : plan.units) naive += times.at(unit.spec);
    CHECK(table.sum(plan).value().sum_ms == naive);
    CHECK(table.estimate_ms(plan).value() == 1.25 * naive + 0.04);
    CHECK(cost(arch) == Approx(1.25 * naive + 0.04).epsilon(1e-12));
  }
}

TEST_CASE("A unit that nobody measured is named, never guessed", "[latency][error]") {
  const auto space = shipped("tiny");
  auto times = true_times(space);
  const space::NetworkPlan plan = space::lower(space, space::largest(space), kIo);
  const space::LayerSpec lost = plan.units[2].spec;
  times.erase(lost);
  const LatencyTable table(times);
  std::vector<space::LayerSpec> missing;
  CHECK_FALSE(table.estimate_ms(plan, &missing));
  CHECK(missing == std::vector{lost});
  CHECK_FALSE(table.sum(plan));
  CHECK_FALSE(table.unit_ms(lost));

  const space::AdditiveCost cost = table.compile(space, kIo);
  CHECK(cost.missing() == std::vector{lost});
  CHECK(std::isnan(cost(space::largest(space))));
  CHECK(cost(space::smallest(space)) > 0.0);
}

TEST_CASE("A table of another space is refused", "[latency][error]") {
  const LatencyTable table(true_times(shipped("tiny")));
  CHECK_THROWS_AS(table.compile(shipped("mbv3_32px"), kIo), StateError);
  CHECK_THROWS_WITH(LatencyTable().compile(shipped("tiny"), kIo),
                    ContainsSubstring("the latency table (0 units) has none of the") &&
                        ContainsSubstring("units of space 'tiny': it is of another space; run the "
                                          "profile stage for this one"));
}

TEST_CASE("A table holds positive times only", "[latency][error]") {
  const space::LayerSpec spec = space::LinearSpec{4, 2};
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(LatencyTable({{spec, bad}}), std::invalid_argument);
  }
  CHECK_THROWS_WITH(LatencyTable({{spec, -1.0}}), ContainsSubstring("must be positive, got -1 ms"));
}

TEST_CASE("The table's hash follows every number in it", "[latency][unit]") {
  const auto times = true_times(shipped("tiny"));
  const LatencyTable table(times);
  CHECK(LatencyTable(times).hash() == table.hash());
  auto changed = times;
  changed.begin()->second = std::nextafter(changed.begin()->second, 1.0);
  CHECK(LatencyTable(changed).hash() != table.hash());
  CHECK(LatencyTable(times, {1.0, 0.1, 3}).hash() != table.hash());
}

TEST_CASE("Rows of units come back as they were stored", "[latency][unit]") {
  const auto space = shipped("tiny");
  test::Project project(space, kIo);
  const Protocol protocol;
  const std::string hash = protocol_hash(protocol);
  const auto units = space::distinct_units(space, kIo);
  std::int64_t device = 0;
  project.db.write([&](SQLite::Database& sql) {
    device = put_device(sql, {"laptop", "fake", 2, "float32", "{}"});
    CHECK(put_device(sql, {"laptop", "fake", 2, "float32", "{}"}) == device);
    CHECK(put_device(sql, {"laptop", "fake", 1, "float32", "{}"}) != device);
    CHECK(get_device(sql, device) == DeviceRow{"laptop", "fake", 2, "float32", "{}"});
    CHECK_FALSE(get_device(sql, 77));
    for (std::size_t i = 0; i < units.size(); ++i) {
      const auto value = static_cast<double>(i + 1);
      put_layer_latency(sql, device, protocol,
                        {units[i], i == 1 ? MeasurementResult{MeasurementFailure{"no memory"}}
                                          : measurement_of({{value, value / 2, value * 2, 20}})});
    }
    put_layer_latency(sql, device, protocol, {units[0], measurement_of({{7.0, 6.0, 8.0, 30}})});
  });
  CHECK(project.count("layer_latency") == static_cast<std::int64_t>(units.size()));
  CHECK(project.count("layer_latency WHERE failure = 'no memory' AND median_ms IS NULL") == 1);
  CHECK(project.count("layer_latency WHERE kind = 'mbconv' AND (mid_channels IS NULL OR "
                      "kernel_size IS NULL OR stride IS NULL OR act IS NULL OR se_channels IS "
                      "NULL)") == 0);
  CHECK(project.count("layer_latency WHERE kind = 'linear' AND in_px = 1 AND out_channels = 10 AND "
                      "kernel_size IS NULL") == 1);
  project.db.read([&](SQLite::Database& sql) {
    const auto rows = get_layer_latencies(sql, device, hash);
    REQUIRE(rows.size() == units.size());
    for (std::size_t i = 1; i < rows.size(); ++i) CHECK(rows[i - 1].spec < rows[i].spec);
    for (const auto& row : rows) {
      if (row.spec == units[0]) {
        CHECK(std::get<Measurement>(row.result) == measurement_of({{7.0, 6.0, 8.0, 30}}));
      }
      if (row.spec == units[1]) {
        CHECK(std::get<MeasurementFailure>(row.result).reason == "no memory");
      }
    }
    CHECK(get_layer_latencies(sql, device, "another").empty());
    CHECK(get_layer_latencies(sql, device + 1, hash).empty());
  });
  const LatencyTable table = LatencyTable::load(project.db, device, hash);
  CHECK(table.size() == units.size() - 1);
  CHECK(table.unit_ms(units[0]) == 7.0);
  CHECK_FALSE(table.unit_ms(units[1]));

  project.db.write([](SQLite::Database& sql) {
    sql.exec("UPDATE layer_latency SET spec = 'mbconv in=x' WHERE id = 1");
  });
  CHECK_THROWS_AS(LatencyTable::load(project.db, device, hash), DataError);
  CHECK_THROWS_WITH(LatencyTable::load(project.db, device, hash),
                    ContainsSubstring("layer_latency row 1: "));
  project.db.write([&](SQLite::Database& sql) { delete_layer_latencies(sql, device, hash); });
  CHECK(project.count("layer_latency") == 0);
}

TEST_CASE("Networks and models come back as they were stored", "[latency][unit]") {
  const auto space = shipped("tiny");
  test::Project project(space, kIo);
  const std::int64_t run = project.add_stage_run("profile");
  project.db.write([&](SQLite::Database& sql) {
    const auto device = put_device(sql, {"laptop", "fake", 1, "float32", "{}"});
    const auto arch = project.arch_id(sql, space::largest(space));
    const Measurement measured =
        measurement_of({{2.0, 1.5, 2.5, 20}, {2.2, 1.6, 2.6, 10, true, 4.0}}, 5.0);
    put_network_latency(sql, device, arch, "hash", NetworkPurpose::kCheck, measured);
    put_network_latency(sql, device, arch, "hash", NetworkPurpose::kWinner,
                        MeasurementFailure{"gone"});
    const auto check = get_network_latency(sql, device, arch, "hash", NetworkPurpose::kCheck);
    CHECK(std::get<Measurement>(check.value()) == measured);
    const auto winner = get_network_latency(sql, device, arch, "hash", NetworkPurpose::kWinner);
    CHECK(std::get<MeasurementFailure>(winner.value()).reason == "gone");
    CHECK_FALSE(get_network_latency(sql, device, arch, "hash", NetworkPurpose::kEval));
    CHECK_FALSE(get_network_latency(sql, device, arch, "other", NetworkPurpose::kCheck));
    put_network_latency(sql, device, arch, "hash", NetworkPurpose::kWinner, measured);
    CHECK(std::holds_alternative<Measurement>(
        get_network_latency(sql, device, arch, "hash", NetworkPurpose::kWinner).value()));

    LatencyModelRow row{run, device, project.space_id, {1.1, 0.2, 12}, {24, 0.03, 0.9, 0.95, 0.99}};
    put_latency_model(sql, row);
    CHECK(get_latency_model(sql, run) == row);
    row.correction.scale = 1.3;
    row.check = {};
    put_latency_model(sql, row);
    CHECK(get_latency_model(sql, run) == row);
    CHECK_FALSE(get_latency_model(sql, run + 1));
    delete_network_latencies(sql, device, "hash", NetworkPurpose::kCheck);
    delete_network_latencies(sql, device, "other", NetworkPurpose::kWinner);
    CHECK_FALSE(get_network_latency(sql, device, arch, "hash", NetworkPurpose::kCheck));
    CHECK(get_network_latency(sql, device, arch, "hash", NetworkPurpose::kWinner));
    delete_network_latencies(sql, device, "hash", NetworkPurpose::kWinner);
  });
  CHECK(project.count("network_latency") == 0);
}

TEST_CASE("Chosen networks are different, and those of the correction spread over the costs",
          "[latency][property]") {
  const auto space = shipped("mbv3_32px");
  const space::AdditiveCost cost = LatencyTable(true_times(space)).compile(space, kIo);
  const NetworkChoice choice = choose_networks(space, cost, 12, 24, 5);
  CHECK(choice.correction.size() == 12);
  CHECK(choice.check.size() == 24);
  std::set<space::Arch> all(choice.correction.begin(), choice.correction.end());
  all.insert(choice.check.begin(), choice.check.end());
  CHECK(all.size() == 36);
  const double low = cost.minimum(space).cost;
  const double high = cost.maximum(space).cost;
  CHECK(cost(choice.correction[0]) == low);
  CHECK(cost(choice.correction[1]) == high);
  int cheap = 0;
  int dear = 0;
  for (const auto& arch : choice.correction) {
    cheap += cost(arch) < low + (high - low) / 3 ? 1 : 0;
    dear += cost(arch) > high - (high - low) / 3 ? 1 : 0;
  }
  CHECK(cheap >= 2);
  CHECK(dear >= 2);
  CHECK(choose_networks(space, cost, 12, 24, 5).check == choice.check);
  CHECK(choose_networks(space, cost, 12, 24, 6).check != choice.check);
  CHECK(choose_networks(space, cost, 1, 0, 5).correction.size() == 1);
  CHECK(choose_networks(space, cost, 0, 3, 5).check.size() == 3);
  CHECK(choose_networks(space, cost, 0, 0, 5).check.empty());
}

TEST_CASE("A space with few archs or lost units gives fewer networks", "[latency][unit]") {
  const auto space = shipped("tiny");
  auto times = true_times(space);
  const space::AdditiveCost cost = LatencyTable(times).compile(space, kIo);
  const NetworkChoice choice = choose_networks(space, cost, 100, 300, 1);
  const auto count = static_cast<std::size_t>(space::cardinality(space));
  CHECK(choice.correction.size() + choice.check.size() == count);
  CHECK(choice.correction.size() == count / 4);

  const auto plan = space::lower(space, space::largest(space), kIo);
  times.erase(plan.units[3].spec);
  const space::AdditiveCost partial = LatencyTable(times).compile(space, kIo);
  for (const auto& arch : choose_networks(space, partial, 5, 20, 1).check) {
    CHECK_FALSE(std::isnan(partial(arch)));
  }
}

}  // namespace omnifit::latency
