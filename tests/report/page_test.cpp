#include "report/report.hpp"
#include "report/result_rows.hpp"
#include "tests/report/fixture/filled_project.hpp"
#include "tests/report/fixture/markup_check.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <set>

namespace omnifit {
namespace {

using Catch::Matchers::ContainsSubstring;

/// A filled project in a folder of its own.
struct Project {
  test::TempDir folder;
  store::Database database{folder / "project.db", store::Database::Mode::kReadWrite};
  report::ReportRequest request = test::fill_project(database);

  std::string page() { return report::render_html(report::load_report_data(database, request)); }
  std::string page_after(const std::string& sql) {
    test::execute(database, sql);
    return page();
  }
};

/// The <section> of that id.
std::string section_of(const std::string& html, const std::string& id) {
  const std::size_t begin = html.find("<section id=\"" + id + "\">");
  REQUIRE(begin != std::string::npos);
  return html.substr(begin, html.find("</section>", begin) - begin);
}

void check_sound(const std::string& html) {
  CHECK(test::markup_problems(html) == std::vector<std::string>{});
  CHECK(html.find("nan") == std::string::npos);
  CHECK(html.find("inf\"") == std::string::npos);
}

}  // namespace

TEST_CASE("a finished job renders as one well-formed page", "[report][unit]") {
  Project project;
  const std::string html = project.page();
  check_sound(html);
  CHECK_THAT(html, ContainsSubstring("Four of five budgets have a network; one was not met."));
  CHECK_THAT(html, ContainsSubstring("times as fast as the largest subnet"));
  CHECK_THAT(html, ContainsSubstring("</svg>smallest subnet, validation</li>"));
  CHECK(html.find("class=\"missing\">No ") == std::string::npos);
  // For a look in a browser.
  if (const char* out = std::getenv("OMNIFIT_REPORT_PAGE")) std::ofstream(out) << html;
}

TEST_CASE("the page fetches nothing and runs nothing", "[report][unit]") {
  Project project;
  const std::string html = project.page();
  for (const char* forbidden : {"http://", "https://", "<script", "<link", "<img", "<iframe",
                                "@import", "url(", " src=", " onload=", " onclick="}) {
    CAPTURE(forbidden);
    CHECK(html.find(forbidden) == std::string::npos);
  }
  const auto links = test::attribute_values(html, "href");
  CHECK(links.size() > 15);
  for (const std::string& link : links) {
    CAPTURE(link);
    CHECK((link[0] == '#' || link.rfind("export/", 0) == 0));
    if (link[0] == '#') {
      CHECK_THAT(html, ContainsSubstring("<section id=\"" + link.substr(1) + "\">"));
    }
  }
}

TEST_CASE("equal projects give equal pages", "[report][property]") {
  Project one;
  Project two;
  CHECK(one.page() == two.page());
  CHECK(one.page() == one.page());
}

TEST_CASE("ids are unique", "[report][unit]") {
  Project project;
  const auto ids = test::attribute_values(project.page(), "id");
  CHECK(ids.size() == std::set<std::string>(ids.begin(), ids.end()).size());
}

TEST_CASE("hostile text stays text", "[report][error]") {
  Project project;
  const std::string evil = "'<script>alert(\"1\")</script>&' || CAST(x'ff1b' AS TEXT)";
  const std::string html = project.page_after(
      "UPDATE dataset SET name = " + evil + ";UPDATE device SET name = " + evil +
      ";UPDATE space SET name = " + evil + ";UPDATE job SET yaml = " + evil + ", source = " + evil +
      ", host = " + evil + ", git_revision = " + evil + ";UPDATE stage_run SET message = " + evil +
      ";UPDATE search_run SET budget = budget || " + evil + ", stop_reason = " + evil +
      ";UPDATE verification SET budget = budget || " + evil +
      " WHERE role NOT IN ('largest', 'smallest')" + ";UPDATE export SET budget = budget || " +
      evil + ", path = 'x/' || " + evil + ", note = " + evil +
      ";UPDATE train_metric SET name = name || " + evil + ", phase = phase || " + evil +
      ";UPDATE arch SET text = text || " + evil + ";UPDATE predictor SET kind = " + evil +
      ";UPDATE layer_latency SET failure = " + evil + " WHERE failure IS NOT NULL");
  check_sound(html);
  CHECK(html.find("<script") == std::string::npos);
  CHECK(html.find('\x1b') == std::string::npos);
  CHECK_THAT(html, ContainsSubstring(
                       "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;\uFFFD\uFFFD"));
  for (const std::string& link : test::attribute_values(html, "href")) {
    CHECK(link.find_first_of("<>\"':& ") == std::string::npos);
  }
}

TEST_CASE("each missing part is said in words", "[report][error]") {
  struct Case {
    const char* section;
    const char* stage;  ///< taken out of the request
    const char* sentence;
  };
  const auto missing = GENERATE(
      Case{"networks", "verify", "No measurements to show: the verify stage has not run."},
      Case{"networks", "search,verify", "No networks to show: the search stage has not run."},
      Case{"front", "search,verify", "No candidates to show: the search stage has not run."},
      Case{"training", "train", "No learning curves to show: the train stage has not run."},
      Case{"latency", "profile", "No latency model to show: the profile stage has not run."},
      Case{"predictor", "collect",
           "No measured accuracies to show: the collect stage has not run."},
      Case{"predictor", "fit", "No accuracy predictor to show: the fit stage has not run."},
      Case{"search", "search", "No searches to show: the search stage has not run."},
      Case{"files", "export", "No exported files to show: the export stage has not run."},
      Case{"stages", "all", "No stage of this job has run."},
      Case{"reproduce", "all", "The project file holds no job for this run."});
  CAPTURE(missing.section, missing.stage);
  Project project;
  const std::string stages = missing.stage;
  for (auto run = project.request.stage_runs.begin(); run != project.request.stage_runs.end();) {
    const bool gone = stages == "all" || stages.find(run->first) != std::string::npos;
    run = gone ? project.request.stage_runs.erase(run) : std::next(run);
  }
  const std::string html = project.page();
  check_sound(html);
  CHECK_THAT(section_of(html, missing.section), ContainsSubstring(missing.sentence));
}

TEST_CASE("a stage that did not finish is said to have", "[report][error]") {
  struct Case {
    const char* state;
    const char* sentence;
  };
  const auto unfinished =
      GENERATE(Case{"running", "the fit stage has not finished"},
               Case{"interrupted", "the fit stage was interrupted"},
               Case{"failed", "the fit stage failed (\u201cdisk &lt;full&gt;\u201d)"},
               Case{"goal_missed", "the fit stage could not reach its goal"},
               Case{"done", "the fit stage finished without storing any"});
  Project project;
  const std::string html = project.page_after(
      std::string(
          "DELETE FROM predictor; UPDATE stage_run SET message = 'disk <full>', state = '") +
      unfinished.state + "' WHERE stage = 'fit'");
  check_sound(html);
  CHECK_THAT(section_of(html, "predictor"), ContainsSubstring(unfinished.sentence));
}

TEST_CASE("every subset of the stages renders", "[report][property]") {
  Project project;
  const auto all = project.request.stage_runs;
  for (unsigned mask = 0; mask < 256; mask += 5) {
    project.request.stage_runs.clear();
    unsigned bit = 0;
    for (const auto& run : all) {
      if ((mask >> bit++ & 1U) != 0) project.request.stage_runs.insert(run);
    }
    CAPTURE(mask);
    const std::string html = project.page();
    REQUIRE(test::markup_problems(html) == std::vector<std::string>{});
  }
}

TEST_CASE("values that are NULL, failed or not finite are left out aloud", "[report][error]") {
  Project project;
  SECTION("nothing measured") {
    const std::string html = project.page_after(
        "UPDATE verification SET measured_top1 = NULL, measured_latency_ms = NULL, predicted_top1 "
        "= NULL, "
        "estimated_latency_ms = NULL");
    check_sound(html);
    CHECK_THAT(section_of(html, "networks"),
               ContainsSubstring("<span class=\"none\">\u2013</span>"));
    CHECK(html.find("times as fast") == std::string::npos);
  }
  SECTION("no latency anywhere") {
    const std::string html = project.page_after(
        "UPDATE verification SET measured_latency_ms = NULL, estimated_latency_ms = NULL;"
        "UPDATE search_result SET latency_ms = NULL");
    check_sound(html);
    CHECK_THAT(section_of(html, "front"), ContainsSubstring("No latencies to show"));
    CHECK_THAT(html, ContainsSubstring("times fewer than the largest subnet"));
  }
  SECTION("a latency model nobody could check") {
    const std::string html = project.page_after(
        "UPDATE latency_model SET mape = NULL, within_10_percent = NULL, kendall_tau = NULL, "
        "num_check = 0;"
        "UPDATE network_latency SET median_ms = NULL, failure = 'device <gone>';"
        "DELETE FROM verification");
    check_sound(html);
    CHECK_THAT(section_of(html, "latency"), ContainsSubstring("No check networks to show"));
    CHECK_THAT(section_of(html, "latency"), ContainsSubstring("device &lt;gone&gt;"));
    CHECK_THAT(section_of(html, "latency"), ContainsSubstring("and 14 more"));
  }
  SECTION("a loss that blew up") {
    const std::string html = project.page_after(
        "UPDATE train_metric SET value = 9e999 WHERE name = 'train_loss' AND step > 600");
    check_sound(html);
    CHECK_THAT(section_of(html, "training"),
               ContainsSubstring("24 values are not finite and left out"));
  }
  SECTION("a search without generations") {
    const std::string html = project.page_after("DELETE FROM search_generation");
    check_sound(html);
    CHECK_THAT(section_of(html, "search"), ContainsSubstring("class=\"missing\">evolution: "));
  }
}

TEST_CASE("the headline counts what was reached", "[report][unit]") {
  Project project;
  SECTION("all budgets met") {
    CHECK_THAT(project.page_after("DELETE FROM search_run WHERE budget = 'latency <= 0.31 ms'"),
               ContainsSubstring("Four networks for four budgets, from one trained supernet."));
  }
  SECTION("one budget met") {
    CHECK_THAT(
        project.page_after("DELETE FROM search_run WHERE budget <> 'macs <= 40%';"
                           "DELETE FROM verification WHERE role NOT IN ('largest', 'smallest') AND "
                           "budget <> 'macs <= 40%'"),
        ContainsSubstring("One network for one budget, from one trained supernet."));
  }
  SECTION("none yet") {
    CHECK_THAT(project.page_after("DELETE FROM verification"),
               ContainsSubstring("None of five budgets has a network so far; one was not met."));
  }
  SECTION("candidates alone") {
    struct Case {
      const char* source;
      const char* headline;
    };
    const auto each = GENERATE(
        Case{"predicted",
             "Four candidates for four budgets, by prediction; no network is measured yet."},
        Case{"measured",
             "Four candidates for four budgets, measured on validation images and not "
             "yet verified."},
        Case{"table", "Four subnets for four budgets, looked up in tables."});
    CHECK_THAT(project.page_after("DELETE FROM verification; DELETE FROM search_run WHERE budget = "
                                  "'latency <= 0.31 ms'; UPDATE search_run SET top1_source = '" +
                                  std::string(each.source) + "'"),
               ContainsSubstring(each.headline));
  }
  SECTION("no budget at all") {
    CHECK_THAT(project.page_after("DELETE FROM verification; DELETE FROM search_run"),
               ContainsSubstring("No network yet: no budget has been searched."));
  }
}

TEST_CASE("figures are called what they are", "[report][unit]") {
  Project project;
  SECTION("measured by the search") {
    const std::string html = project.page_after(
        "DELETE FROM verification; UPDATE search_run SET top1_source = 'measured'");
    check_sound(html);
    CHECK_THAT(section_of(html, "networks"),
               ContainsSubstring("on validation images") &&
                   ContainsSubstring("best candidate of the search, not verified yet") &&
                   !ContainsSubstring("predicted 9"));
    CHECK_THAT(section_of(html, "search"), ContainsSubstring("best validation top-1 (%)"));
    CHECK_THAT(section_of(html, "front"),
               ContainsSubstring("candidates (measured on validation images)"));
    CHECK_THAT(section_of(project.page_after("DELETE FROM predictor"), "predictor"),
               ContainsSubstring("the search measured what it looked at") &&
                   ContainsSubstring("120 subnets, measured inside the supernet"));
  }
  SECTION("looked up in tables that know no costs") {
    const std::string html = project.page_after(
        "DELETE FROM verification; UPDATE search_run SET top1_source = 'table'; UPDATE arch SET "
        "macs = NULL, params = NULL, peak_memory_bytes = NULL, model_bytes = NULL, resolution_px = "
        "NULL");
    check_sound(html);
    CHECK_THAT(section_of(html, "networks"),
               ContainsSubstring("All figures are those of the space&#39;s tables") ||
                   ContainsSubstring("All figures are those of the space's tables"));
    CHECK_THAT(section_of(html, "networks"), !ContainsSubstring("not measured"));
    CHECK_THAT(section_of(html, "front"),
               ContainsSubstring("candidates (from the tables)") && !ContainsSubstring("(MACs)"));
    CHECK(html.find("0 px") == std::string::npos);
    CHECK_THAT(html, ContainsSubstring("<section id=\"training\">"));
    // Of a tabular space the page leaves out what it has not.
    const std::string tabular = project.page_after("UPDATE space SET family = 'tabular'");
    check_sound(tabular);
    for (const char* id : {"training", "latency", "predictor", "files"}) {
      CHECK(tabular.find(fmt::format("id=\"{}\"", id)) == std::string::npos);
      CHECK(tabular.find(fmt::format("href=\"#{}\"", id)) == std::string::npos);
    }
  }
}

TEST_CASE("fronts are drawn over the evaluations, and the truth stands beside them",
          "[report][unit]") {
  Project project;
  CHECK_THAT(section_of(project.page(), "search"), !ContainsSubstring("<h3>Fronts</h3>"));
  const std::string html = project.page_after(
      "UPDATE search_generation SET hypervolume = generation / 20.0; UPDATE search_run SET "
      "hypervolume = 0.6; UPDATE search_run SET strategy = 'exhaustive', hypervolume = 0.8, "
      "best_top1 = 0.99 WHERE strategy = 'random'; UPDATE search_run SET best_top1 = 0.98 WHERE "
      "strategy = 'evolution' AND best_top1 IS NOT NULL");
  check_sound(html);
  const std::string search = section_of(html, "search");
  CHECK_THAT(search, ContainsSubstring("<h3>Fronts</h3>") && ContainsSubstring("hypervolume (%)"));
  CHECK_THAT(search, ContainsSubstring("Share of the true front") && ContainsSubstring("1.00") &&
                         ContainsSubstring("75.0"));
  CHECK_THAT(section_of(html, "front"), ContainsSubstring("the true front (of all subnets)"));
  const auto rows = report::truth_rows(report::load_report_data(project.database, project.request));
  REQUIRE(rows.size() >= 4);
  CHECK(rows.front().gap.value() == Approx(0.01));
  CHECK(rows.front().front_share.value() == Approx(0.75));
}

TEST_CASE("a page in a folder of its own links back to the files", "[report][unit]") {
  Project project;
  const std::string html =
      project.page_after("UPDATE job SET yaml = 'report: {file: pages/report.html}'");
  CHECK_THAT(html, ContainsSubstring("href=\"../export/latency-20pct.onnx\""));
}

TEST_CASE("the markup check finds what it is for", "[report][unit]") {
  using test::markup_problems;
  CHECK(markup_problems("<p>fine &amp; <b class=\"x\">well</b><br/></p>").empty());
  CHECK(markup_problems("<p><b></p></b>").size() >= 1);
  CHECK(markup_problems("<p>").size() == 1);
  CHECK(markup_problems("</p>").size() == 1);
  CHECK(markup_problems("<p class=x></p>").size() == 1);
  CHECK(markup_problems("<p a=\"1\" a=\"2\"></p>").size() == 1);
  CHECK(markup_problems("a & b").size() == 1);
  CHECK(markup_problems("a > b").size() == 1);
  CHECK(markup_problems("&nbsp;").size() == 1);
  CHECK(markup_problems("<p title=\"a<b\"></p>").size() == 1);
}

}  // namespace omnifit
