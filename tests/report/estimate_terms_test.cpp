#include "latency_lut/latency_table.hpp"
#include "report/report.hpp"
#include "space/lower.hpp"
#include "tests/report/fixture/filled_project.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>

namespace omnifit {
namespace {

constexpr const char* kCorrection =
    "UPDATE latency_model SET scale = 1.25, offset_ms = 0.5, unit_overhead_ms = -0.004, "
    "weight_ms_per_mb = 0.08";

/// The estimate of an arch of the project by that correction, term by term from its rows.
double by_hand(SQLite::Database& sql, const space::NetworkPlan& plan, const std::string& arch) {
  double sum_ms = 0.0;
  for (const space::PlanUnit& unit : plan.units) {
    SQLite::Statement row(sql, "SELECT median_ms FROM layer_latency WHERE spec = ?");
    row.bind(1, space::spec_text(unit.spec));
    REQUIRE(row.executeStep());
    sum_ms += row.getColumn(0).getDouble();
  }
  SQLite::Statement weights(sql, "SELECT model_bytes FROM arch WHERE text = ?");
  weights.bind(1, arch);
  REQUIRE(weights.executeStep());
  const double weight_mb = weights.getColumn(0).getDouble() / 1e6;
  REQUIRE(0.08 * weight_mb > 0.001);
  return 1.25 * sum_ms + 0.5 - 0.004 * static_cast<double>(plan.units.size()) + 0.08 * weight_mb;
}

}  // namespace

TEST_CASE("an estimate has every term of the correction", "[report][unit]") {
  const test::TempDir folder;
  store::Database database(folder / "project.db", store::Database::Mode::kReadWrite);
  const report::ReportRequest request = test::fill_project(database);
  test::execute(database, kCorrection);
  const auto checks = report::load_report_data(database, request).latencies.at(0).checks;
  REQUIRE(checks.size() > 10);

  const auto space = space::SearchSpace::load(OMNIFIT_SOURCE_DIR "/configs/space/mbv3_32px.yaml");
  latency::LatencyModelRow model;
  database.read([&](SQLite::Database& sql) {
    model = latency::get_latency_model(sql, request.stage_runs.at("profile")).value();
  });
  const auto table = latency::LatencyTable::of_model(database, model);
  for (const report::LatencyCheck& check : checks) {
    const auto plan = space::lower(space, space::parse_arch(space, check.arch), {3, 12});
    database.read([&](SQLite::Database& sql) {
      CHECK(check.estimated_ms == Approx(by_hand(sql, plan, check.arch)).epsilon(1e-9));
    });
    CHECK(check.estimated_ms == Approx(table.estimate_ms(plan).value()).epsilon(1e-9));
  }
}

}  // namespace omnifit
