#include "latency_lut/latency_store.hpp"
#include "latency_lut/latency_table.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_timer.hpp"
#include "tests/support/project.hpp"

namespace omnifit::latency {
namespace {

const space::TaskIo kIo{3, 10};

}  // namespace

TEST_CASE("R² and the overhead per unit are stored with the model", "[latency][unit]") {
  const auto space = test::shipped_space("tiny");
  test::Project project(space, kIo);
  const std::int64_t run = project.add_stage_run("profile");
  project.db.write([&](SQLite::Database& sql) {
    DeviceRow device_row;
    device_row.name = "laptop";
    const auto device = put_device(sql, device_row);
    LatencyModelRow row;
    row.stage_run_id = run;
    row.device_id = device;
    row.space_id = project.space_id;
    row.correction = {1.1, 0.2, 12, 0.01};
    row.check = {24, 0.03, 0.9, 0.95, 0.98};
    put_latency_model(sql, row);
    CHECK(get_latency_model(sql, run) == row);
    row.correction.unit_overhead_ms = 0.02;
    row.correction.weight_ms_per_mb = 0.08;
    row.correction.deviation_scale = 0.4;
    row.check.r2.reset();
    put_latency_model(sql, row);
    CHECK(get_latency_model(sql, run) == row);
  });
}

TEST_CASE("Every term of the correction counts in estimates and in the compiled cost",
          "[latency][property]") {
  const auto space = test::shipped_space("mbv3_32px");
  std::map<space::LayerSpec, double> times;
  for (const auto& unit : space::distinct_units(space, kIo)) {
    times[unit] = test::FakeTimer::true_ms(unit);
  }
  const LatencyTable table(times, Correction{1.25, 0.04, 12, 0.5, 0.25});
  const LatencyTable without(times, Correction{1.25, 0.04, 12});
  CHECK(table.hash() != without.hash());
  const space::AdditiveCost cost = table.compile(space, kIo);
  core::Rng rng = test::test_rng(4);
  for (int i = 0; i < 50; ++i) {
    const space::Arch arch = space::sample(space, rng);
    const space::NetworkPlan plan = space::lower(space, arch, kIo);
    const double expected = without.estimate_ms(plan).value() +
                            0.5 * static_cast<double>(plan.units.size()) +
                            0.25e-6 * static_cast<double>(space::model_bytes(plan));
    CHECK(table.estimate_ms(plan).value() == Approx(expected));
    CHECK(cost(arch) == Approx(expected));
  }
}

}  // namespace omnifit::latency
