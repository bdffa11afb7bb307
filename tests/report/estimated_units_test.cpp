#include "report/loader.hpp"
#include "report/report.hpp"
#include "report/result_rows.hpp"
#include "tests/report/fixture/filled_project.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

namespace omnifit {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("units that were estimated count in the check and are told", "[report][unit]") {
  const test::TempDir folder;
  store::Database database(folder / "project.db", store::Database::Mode::kReadWrite);
  const report::ReportRequest request = test::fill_project(database);
  const report::ReportData measured = report::load_report_data(database, request);
  CHECK(measured.latencies.at(0).num_layers_estimated == 0);
  CHECK_THAT(report::render_html(measured), !ContainsSubstring("estimated from them"));

  // The classifiers, one of every network, were not measured but estimated to take the same.
  test::execute(database,
                "INSERT INTO layer_estimate SELECT (SELECT min(id) FROM latency_model), spec, "
                "median_ms, 0.05 * median_ms FROM layer_latency WHERE kind = 'linear'");
  test::execute(database, "DELETE FROM layer_latency WHERE kind = 'linear'");
  const report::ReportData data = report::load_report_data(database, request);
  const report::LatencyInfo& latency = data.latencies.at(0);
  CHECK(latency.num_layers_estimated > 0);
  CHECK(latency.num_layers_measured + latency.num_layers_estimated ==
        measured.latencies[0].num_layers_measured);
  CHECK(latency.mean_rel_deviation.value() == Approx(0.05));
  REQUIRE(latency.checks.size() == measured.latencies[0].checks.size());
  for (std::size_t i = 0; i < latency.checks.size(); ++i) {
    CHECK(latency.checks[i].estimated_ms == Approx(measured.latencies[0].checks[i].estimated_ms));
    CHECK(latency.checks[i].deviation_ms > 0.0);
  }
  test::execute(database, "UPDATE latency_model SET deviation_scale = 0.4");
  const auto narrower = report::load_report_data(database, request).latencies.at(0).checks;
  for (std::size_t i = 0; i < latency.checks.size(); ++i) {
    CHECK(narrower.at(i).deviation_ms == Approx(0.4 * latency.checks[i].deviation_ms));
  }
  const std::string html = report::render_html(data);
  CHECK_THAT(html, ContainsSubstring("estimated from them (\u00b1 5.0 %)"));
  CHECK_THAT(html, ContainsSubstring("estimated " +
                                     report::estimate_text(latency.checks[0].estimated_ms,
                                                           latency.checks[0].deviation_ms) +
                                     ", measured "));
}

}  // namespace omnifit
