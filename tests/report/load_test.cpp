#include "report/loader.hpp"
#include "report/report.hpp"
#include "tests/report/fixture/filled_project.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <cmath>

namespace omnifit {
namespace {

using Catch::Matchers::ContainsSubstring;

/// A filled project in a folder of its own.
struct Project {
  test::TempDir folder;
  store::Database database{folder / "project.db", store::Database::Mode::kReadWrite};
  report::ReportRequest request = test::fill_project(database);

  report::ReportData load() { return report::load_report_data(database, request); }
};

}  // namespace

TEST_CASE("a finished job loads with all its parts", "[report][unit]") {
  Project project;
  const report::ReportData data = project.load();
  CHECK(data.title == "Quickstart: shapes & <textures>");
  REQUIRE(data.job);
  CHECK(data.job->seed == "20260131");
  CHECK(data.job->host.front() ==
        std::pair<std::string, std::string>("CPU", "Made-up Xeon & Sons 8480"));
  REQUIRE(data.space);
  CHECK(data.space->name == "mbv3_32px");
  CHECK(data.space->num_archs == Approx(181e6).epsilon(0.01));
  REQUIRE(data.dataset);
  CHECK(data.dataset->num_test == 2000);
  CHECK(data.stages.size() == 8);
  CHECK(data.stages.front().stage == "train");
  REQUIRE(data.training);
  REQUIRE(data.training->phases.size() == 4);
  CHECK(data.training->phases[1].name == "kernel");
  CHECK(data.training->phases[1].first_step == 313);
  CHECK(data.training->phases[3].epochs_done == Approx(2.0));
  CHECK(data.training->metrics.size() == 5);
  CHECK(data.training->final_checkpoint->path == "train/expand.safetensors");
  CHECK(data.accuracies.size() == 120);
  CHECK(std::is_sorted(data.accuracies.begin(), data.accuracies.end(),
                       [](const auto& a, const auto& b) { return a.macs < b.macs; }));
  REQUIRE(data.predictor);
  CHECK(data.predictor->checks.size() == 24);
  CHECK(data.searches.size() == 10);
  CHECK(data.searches.front().bounds.count("latency_ms") == 1);
  CHECK(data.verified.size() == 7);
  CHECK(data.exports.size() == 12);
  CHECK(data.exports.front().format == "onnx");
}

TEST_CASE("estimates of the check networks follow from the stored units", "[report][unit]") {
  Project project;
  const report::ReportData data = project.load();
  REQUIRE(data.latencies.size() == 1);
  CHECK(data.latencies[0].layer_failures.size() == 1);
  REQUIRE(data.latencies[0].checks.size() == 24);
  double error = 0.0;
  for (const auto& check : data.latencies[0].checks) {
    error += std::abs(check.estimated_ms / check.measured_ms - 1.0) / 24.0;
  }
  // The stored figure was computed when the networks were measured.
  CHECK(error == Approx(*data.latencies[0].mape).epsilon(1e-9));
}

TEST_CASE("of several protocols the one that the latency model counts is shown", "[report][unit]") {
  Project project;
  const std::string first_arch = "(SELECT MIN(arch_id) FROM network_latency)";
  test::execute(
      project.database,
      "INSERT INTO network_latency VALUES (NULL, 1, " + first_arch +
          ", 'another protocol', 'check', 99.0, 98.0, 100.0, 9, NULL, '2027-01-01T00:00:00Z', 1, "
          "NULL)");
  CHECK(project.load().latencies.at(0).checks.size() == 24);
}

TEST_CASE("a unit without a time leaves out the networks that use it", "[report][unit]") {
  Project project;
  test::execute(
      project.database,
      "UPDATE layer_latency SET median_ms = NULL, failure = 'hung' WHERE kind = 'linear'");
  const report::ReportData data = project.load();
  CHECK(data.latencies[0].checks.empty());
  CHECK(data.latencies[0].layer_failures.size() >= 2);
}

TEST_CASE("a network that could not be measured keeps its reason", "[report][unit]") {
  Project project;
  test::execute(
      project.database,
      "UPDATE network_latency SET median_ms = NULL, failure = 'device gone' WHERE id = 1");
  const report::ReportData data = project.load();
  REQUIRE(data.latencies[0].check_failures.size() == 1);
  CHECK(data.latencies[0].check_failures[0].second == "device gone");
}

TEST_CASE("a space this version cannot read costs only drawings and estimates", "[report][unit]") {
  Project project;
  test::execute(project.database, "UPDATE space SET yaml = 'name: [of, another, age'");
  const report::ReportData data = project.load();
  CHECK(data.space->num_archs == 0.0);
  CHECK(data.latencies[0].checks.empty());
  REQUIRE_FALSE(data.verified.empty());
  CHECK(data.verified.front().arch.stages.empty());
  CHECK(data.verified.front().arch.macs.value_or(0) > 0);
  CHECK_NOTHROW(report::render_html(data));
}

TEST_CASE("only what belongs to the requested runs is loaded", "[report][unit]") {
  Project project;
  project.request.stage_runs = {{"train", project.request.stage_runs.at("train")}};
  const report::ReportData data = project.load();
  CHECK(data.stages.size() == 1);
  CHECK(data.training);
  CHECK(data.dataset);
  CHECK(data.space);
  CHECK(data.latencies.empty());
  CHECK_FALSE(data.predictor);
  CHECK(data.accuracies.empty());
  CHECK(data.searches.empty());
  CHECK(data.verified.empty());
  CHECK(data.exports.empty());
}

TEST_CASE("an empty project loads as nothing, with a title", "[report][unit]") {
  test::TempDir folder;
  store::Database database(folder / "empty.db", store::Database::Mode::kReadWrite);
  const report::ReportData data = report::load_report_data(database, {});
  CHECK(data.title == "omnifit");
  CHECK_FALSE(data.job);
  CHECK_FALSE(data.space);
}

TEST_CASE("a run that the project does not have is refused by name", "[report][error]") {
  Project project;
  project.request.stage_runs["fit"] = 77;
  CHECK_THROWS_WITH(project.load(), ContainsSubstring("project.db: no run 77 of stage 'fit'"));
  project.request.stage_runs["fit"] = project.request.stage_runs.at("train");
  CHECK_THROWS_AS(project.load(), DataError);
}

TEST_CASE("a phase begins where the one before ended", "[report][unit]") {
  Project project;
  test::execute(project.database, "DELETE FROM train_metric WHERE step % 12 <> 0");
  const auto phases = project.load().training->phases;
  CHECK(phases[0].first_step == 1);
  CHECK(phases[0].last_step == 312);
  CHECK(phases[1].first_step == 313);
}

TEST_CASE("the page's place comes from the job", "[report][unit]") {
  Project project;
  CHECK(project.load().page_path == "report.html");
  test::execute(project.database, "UPDATE job SET yaml = 'report: {file: out/page.html}'");
  CHECK(project.load().page_path == "out/page.html");
  test::execute(project.database, "UPDATE job SET yaml = '{not yaml'");
  CHECK(project.load().page_path == "report.html");
  CHECK(project.load().job->seed.empty());
}

TEST_CASE("stored JSON flattens for people", "[report][unit]") {
  using Fact = std::pair<std::string, std::string>;
  CHECK(
      report::facts_of_json(
          R"({"cpu_model": "X", "libtorch": "2", "blas": {"name": "B", "ok": true}, "flags": ["a", 1], "memory_gb": 25})",
          "text") == report::Facts{Fact{"CPU model", "X"}, Fact{"LibTorch", "2"},
                                   Fact{"Blas, Name", "B"}, Fact{"Blas, Ok", "yes"},
                                   Fact{"Flags", "a, 1"}, Fact{"Memory", "25 GB"}});
  CHECK(report::facts_of_json("not JSON", "text") == report::Facts{Fact{"text", "not JSON"}});
  CHECK(report::facts_of_json("", "text").empty());
  const auto cut = report::facts_of_json("{\"flags\": \"" + std::string(300, 'x') + "\"}", "text");
  CHECK(cut.front().second.size() < 130);
}

}  // namespace omnifit
