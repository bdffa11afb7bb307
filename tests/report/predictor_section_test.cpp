#include "report/report.hpp"
#include "tests/report/fixture/filled_project.hpp"
#include "tests/report/fixture/markup_check.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

namespace omnifit {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Project {
  test::TempDir folder;
  store::Database database{folder / "project.db", store::Database::Mode::kReadWrite};
  report::ReportRequest request = test::fill_project(database);

  report::ReportData data_after(const std::string& sql) {
    if (!sql.empty()) test::execute(database, sql);
    return report::load_report_data(database, request);
  }
};

/// What a search stores that fitted again on 30 more subnets.
const char* const kRefined =
    "INSERT INTO predictor (id, stage_run_id, space_id, kind, layout_version, weights, num_train, "
    "num_held_out, kendall_tau, spearman, rmse, mae) SELECT 2, s.id, p.space_id, 'ensemble', 'v', "
    "x'00', 120, 30, 0.912, 0.97, 0.0031, 0.0022 FROM predictor p, stage_run s "
    "WHERE p.id = 1 AND s.stage = 'search'; "
    "INSERT INTO predictor_check SELECT 2, arch_id, predicted_top1 + 0.001, measured_top1 FROM "
    "predictor_check LIMIT 20";

}  // namespace

TEST_CASE("The predictor that the search refined is shown beside the fitted one",
          "[report][unit]") {
  Project project;
  const report::ReportData data = project.data_after(kRefined);
  REQUIRE(data.predictor);
  CHECK(data.predictor->kendall_tau == 0.861);
  CHECK(data.predictor->checks.size() == 24);
  REQUIRE(data.refined_predictor);
  CHECK(data.refined_predictor->kind == "ensemble");
  CHECK(data.refined_predictor->checks.size() == 20);

  const std::string html = report::render_html(data);
  CHECK(test::markup_problems(html) == std::vector<std::string>{});
  CHECK_THAT(html, ContainsSubstring("Refined by the search") &&
                       ContainsSubstring("it also learnt from 30 subnets") &&
                       ContainsSubstring("0.861") && ContainsSubstring("0.912"));
}

TEST_CASE("What each round of a refinement had been promised is shown", "[report][unit]") {
  Project project;
  const report::ReportData data = project.data_after(
      std::string(kRefined) +
      "; INSERT INTO refinement_check SELECT 5, 1, arch_id, measured_top1 + 0.02, measured_top1 "
      "FROM "
      "predictor_check WHERE predictor_id = 1; INSERT INTO refinement_check SELECT 5, 2, arch_id, "
      "measured_top1 - 0.001, measured_top1 FROM predictor_check WHERE predictor_id = 1 LIMIT 1");
  REQUIRE(data.refinement.size() == 2);
  CHECK(data.refinement[0].checks.size() == 24);
  CHECK(data.refinement[1].round == 2);
  const std::string html = report::render_html(data);
  CHECK(test::markup_problems(html) == std::vector<std::string>{});
  CHECK_THAT(html, ContainsSubstring("Round 1: 24 subnets, on average 2.00 points worse") &&
                       ContainsSubstring("Round 2: 1 subnet, on average 0.10 points better"));
}

TEST_CASE("Without refinement nothing is said of one", "[report][unit]") {
  Project project;
  const report::ReportData data = project.data_after("");
  CHECK_FALSE(data.refined_predictor);
  CHECK(report::render_html(data).find("Refined by the search") == std::string::npos);
}

}  // namespace omnifit
