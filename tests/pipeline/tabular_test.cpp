#include "core/file_io.hpp"
#include "pipeline/result_summary.hpp"
#include "pipeline/runner.hpp"
#include "store/query.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace omnifit;
using namespace omnifit::pipeline;
using Catch::Matchers::ContainsSubstring;

namespace {

using Rows = std::vector<std::vector<std::string>>;

/// A job in a tabular space of 64 archs, which get better and slower with every choice.
class TabularJob {
 public:
  TabularJob() {
    std::ofstream csv(folder_ / "cells.csv");
    csv << "a,b,c,acc,robust,phone,board,ops\n";
    for (int a = 0; a < 4; ++a) {
      for (int b = 0; b < 4; ++b) {
        for (int c = 0; c < 4; ++c) {
          const double top1 = 50.0 + 6.0 * a + 3.0 * b + 2.0 * c - 0.5 * b * c;
          csv << fmt::format("{},{},{},{},{},{},{},{}\n", a, b, c, top1, 100.0 - top1,
                             2.0 + 3 * a + b + c, 20.0 + a + 5 * b + c, 1000 * (a + b + c + 1));
        }
      }
    }
    std::ofstream(folder_ / "cells.yaml") << R"(
name: cells
family: tabular
genes:
  - {name: a, choices: [0, 1, 2, 3]}
  - {name: b, choices: [0, 1, 2, 3]}
  - {name: c, choices: [0, 1, 2, 3]}
tables:
  - file: cells.csv
    metrics:
      - {name: accuracy, column: acc, maximise: true, factor: 0.01, unit: fraction}
      - {name: robustness, column: robust, maximise: true, unit: percent}
      - {name: phone_ms, column: phone, unit: ms}
      - {name: board_ms, column: board, unit: ms}
      - {name: macs, column: ops, unit: MACs}
)";
  }

  std::filesystem::path write(const std::string& more) const {
    const std::filesystem::path file = folder_ / "job.yaml";
    std::ofstream(file) << "project: p.db\nstages: [search, report]\nspace: ./cells.yaml\n"
                           "device: {name: phone}\n"
                        << more;
    return file;
  }

  /// @return what the command prints as JSON
  nlohmann::json run(const std::string& search, bool exhaustive = false) const {
    JobOverrides overrides;
    overrides.exhaustive = exhaustive;
    Job job = load_job(write("tables: {root: ., top1: accuracy}\n" + search), overrides);
    store::Database db(job.project_file, store::Database::Mode::kReadWrite);
    const Services services;
    core::NullProgress progress;
    RunContext context(std::move(job), db, services, progress);
    const auto statuses = run_job(context, {});
    table_ = result_table(context);
    return nlohmann::json::parse(result_json(context, statuses));
  }

  [[nodiscard]] std::string error_of(const std::string& more,
                                     const std::vector<std::string>& assignments = {}) const {
    JobOverrides overrides;
    overrides.assignments = assignments;
    try {
      load_job(write(more), overrides);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  [[nodiscard]] Rows rows(const std::string& sql) const {
    const store::Database db(folder_ / "p.db", store::Database::Mode::kReadOnly);
    return store::query(db, sql).rows;
  }

  [[nodiscard]] const std::string& table() const { return table_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return folder_ / name;
  }

 private:
  test::TempDir folder_;
  mutable std::string table_;  ///< of the last run
};

}  // namespace

TEST_CASE("a job searches a tabular space by the names of every other job",
          "[pipeline][property]") {
  const TabularJob job;
  const std::string strategy =
      GENERATE(as<std::string>(), "evolution", "nsga2", "local_search", "exhaustive", "active");
  CAPTURE(strategy);
  // Half of phone's range is 2 + 15 / 2 = 9.5 ms; the best arch within it takes 9 ms: (1, 3, 1).
  const auto result = job.run(
      fmt::format(
          "search:\n  strategy: {}\n  active: {{initial_samples: 12, batch_size: 4, "
          "max_evaluations: 60}}\n  budgets: [{{latency: 50%}}, {{bounds: ['latency@board <= "
          "26 ms', 'macs <= 7 k']}}]\n",
          strategy),
      true);
  const auto networks = result.at("networks");
  REQUIRE(networks.size() == 2);
  CHECK(networks[0].at("arch") == "cells/v1 a=1 b=3 c=1");
  CHECK(networks[0].at("state") == "looked up");
  CHECK(networks[0].at("measured_top1").get<double>() == Approx(0.655));
  CHECK(networks[0].at("predicted_top1").is_null());
  CHECK(networks[0].at("measured_latency_ms") == 9.0);
  CHECK(networks[0].at("macs") == 6000);
  CHECK(networks[0].at("params").is_null());
  // The latency that the budget bounds: 20 + 3 + 3 on the board.
  CHECK(networks[1].at("arch") == "cells/v1 a=3 b=0 c=3");
  CHECK(networks[1].at("measured_latency_ms") == 26.0);
  CHECK(job.rows("SELECT DISTINCT top1_source FROM search_run") == Rows{{"table"}});
  CHECK(job.rows("SELECT count(*) FROM arch WHERE resolution_px IS NOT NULL") == Rows{{"0"}});
  const bool is_active = strategy == "active";
  CHECK(job.rows("SELECT count(*) > 0 FROM search_archive") == Rows{{is_active ? "1" : "0"}});
  if (strategy == "exhaustive") {
    CHECK_FALSE(result.contains("exhaustive"));
    return;
  }
  // What every one of the 64 archs says is found: no gap.
  REQUIRE(result.at("exhaustive").size() == 2);
  CHECK(result.at("exhaustive")[0].at("gap") == 0.0);
  CHECK(result.at("exhaustive")[0].at("front_share").get<double>() > 0.9);
  CHECK_THAT(job.table(), ContainsSubstring("0.00 points") &&
                              ContainsSubstring("looked up in the tables") &&
                              ContainsSubstring("share of the true front"));
}

TEST_CASE("metrics that only a table has are objectives and bounds", "[pipeline][unit]") {
  const TabularJob job;
  const auto result = job.run(
      "search:\n  strategy: exhaustive\n  objectives: [table@robustness]\n"
      "  budgets: [{bounds: ['top1 >= 60 %', 'table@board_ms <= 50%']}]\n");
  // The most robust are the least accurate; from 60 % on that is exactly 60 %.
  CHECK(result.at("networks")[0].at("measured_top1").get<double>() == Approx(0.6));
  CHECK(job.rows("SELECT constraints FROM search_run WHERE strategy = 'exhaustive'") ==
        Rows{{R"({"min_top1":0.6,"table@board_ms":30.5})"}});
}

TEST_CASE("a tabular job says what it cannot do", "[pipeline][error]") {
  const TabularJob job;
  const std::string tables = "tables: {root: ., top1: accuracy}\n";
  CHECK(job.error_of(tables).empty());
  CHECK_THAT(job.error_of(""), ContainsSubstring("search needs fit") &&
                                   ContainsSubstring("a tabular space needs 'tables' instead"));
  CHECK_THAT(job.error_of("", {"stages=[train]"}),
             ContainsSubstring("space cells is tabular: say in 'tables'"));
  CHECK_THAT(job.error_of(tables, {"stages=[train, search]"}),
             ContainsSubstring("there is nothing to train; its stages are [search, report]"));
  CHECK_THAT(job.error_of(tables, {"space=tiny"}),
             ContainsSubstring("tables: space tiny has none, its family is mbconv"));
  CHECK_THAT(job.error_of("tables: {top1: accuracy, rot: x}\n"), ContainsSubstring("'root'"));
  CHECK_THAT(job.error_of(tables + "search: {budgets: [{bounds: ['table <= 3']}]}\n"),
             ContainsSubstring("table@METRIC in a tabular space"));
  CHECK_THAT(job.error_of(tables + "search: {budgets: [{bounds: ['table@ms <= 3 ms']}]}\n"),
             ContainsSubstring("a number in the table's unit") && ContainsSubstring("'3 ms'"));
  CHECK_THAT(job.error_of(tables + "search: {strategy: exhaustive, exhaustive: {max_archs: 63}}\n"),
             ContainsSubstring("space cells has 64 subnets, more than the 63"));
  CHECK_THAT(job.error_of(tables +
                          "search: {budgets: [{latency: 2 ms}], objectives: [table@robustnes]}\n"),
             ContainsSubstring(
                 "search: the tables have no metric 'robustnes'; did you mean 'robustness'?"));
  CHECK_THAT(job.error_of(tables + "search: {budgets: [{bounds: ['latency@watch <= 2 ms']}]}\n"),
             ContainsSubstring("search: the tables have no metric 'watch_ms'"));
  CHECK_THAT(
      job.error_of("tables: {root: ., top1: acuracy}\nsearch: {budgets: [{latency: 9 ms}]}\n"),
      ContainsSubstring("job.yaml: tables.top1: the tables have no metric 'acuracy'; did "
                        "you mean 'accuracy'?"));
  // What no search asks for may be missing.
  CHECK(job.error_of("tables: {root: ., top1: acuracy}\n", {"stages=[report]"}).empty());
  CHECK_THROWS_AS(job.run("search: {budgets: [{latency: 1.5 ms}]}\n"), GoalError);
  CHECK_THROWS_WITH(
      job.run("search: {budgets: [{latency: 1.5 ms}]}\n"),
      ContainsSubstring("latency <= 1.500 ms cannot be met") && ContainsSubstring("2.000 ms"));
}

TEST_CASE("looking at every subnet stands beside a finished search", "[pipeline][unit]") {
  const TabularJob job;
  const std::string search =
      GENERATE(as<std::string>(),
               "search: {evolution: {population_size: 4, generations: 1}, baselines: [], budgets: "
               "[{latency: 50%}, {macs: 7 k}]}\n",
               "search: {strategy: active, active: {initial_samples: 12, max_evaluations: 20}, "
               "budgets: [{latency: 50%}, {macs: 7 k}]}\n");
  CAPTURE(search);
  const auto state = [](const nlohmann::json& result, std::size_t stage) {
    return result.at("stages").at(stage).at("state").get<std::string>();
  };
  const std::string searched =
      "SELECT id, strategy, budget, best_top1, hypervolume FROM search_run WHERE strategy <> "
      "'exhaustive' ORDER BY id";
  const std::string truth = "SELECT count(*) FROM search_run WHERE strategy = 'exhaustive'";

  CHECK_FALSE(job.run(search).contains("exhaustive"));
  const Rows before = job.rows(searched);
  REQUIRE(before.size() == 2);
  const auto with = job.run(search, true);
  CHECK(state(with, 0) == "ran");
  CHECK(with.at("stages")[0].at("why") == "finished; looks at every subnet beside the search");
  CHECK(state(with, 1) == "ran");  // the page shows it
  CHECK(job.rows(searched) == before);
  CHECK(job.rows(truth) == Rows{{"2"}});
  REQUIRE(with.at("exhaustive").size() == 2);
  for (const auto& row : with.at("exhaustive")) {
    CHECK(row.at("best_top1").get<double>() >= row.at("found_top1").get<double>());
    CHECK(row.at("front_share").get<double>() > 0.0);
    CHECK(row.at("front_share").get<double>() <= 1.0);
  }
  // Asked for again or not, it is there, and nothing runs.
  for (const bool again : {true, false}) {
    const auto result = job.run(search, again);
    CHECK(state(result, 0) == "up to date");
    CHECK(state(result, 1) == "up to date");
    CHECK(result.at("exhaustive") == with.at("exhaustive"));
  }

  // With the flag from the start it says the same.
  const TabularJob other;
  const auto at_once = other.run(search, true);
  CHECK(at_once.at("exhaustive") == with.at("exhaustive"));
  CHECK(state(other.run(search), 0) == "up to date");
  CHECK(other.rows(truth) == Rows{{"2"}});
}

TEST_CASE("a page that another job wrote over is rendered again", "[pipeline][unit]") {
  const TabularJob job;
  const std::string one = "search: {strategy: exhaustive, budgets: [{latency: 50%}]}\n";
  const std::string two = "search: {strategy: exhaustive, budgets: [{latency: 25%}]}\n";
  job.run(one);
  const std::string page = core::read_text_file(job / "report.html", 1 << 24);
  job.run(two);
  CHECK(core::read_text_file(job / "report.html", 1 << 24) != page);
  const auto again = job.run(one);
  CHECK(again.at("stages")[0].at("state") == "up to date");
  CHECK(again.at("stages")[1].at("state") == "ran");
  CHECK(core::read_text_file(job / "report.html", 1 << 24) == page);
}

TEST_CASE("a changed table is a changed search", "[pipeline][unit]") {
  const TabularJob job;
  const std::string search = "search: {strategy: exhaustive, budgets: [{latency: 50%}]}\n";
  job.run(search);
  CHECK(job.run(search).at("stages")[0].at("state") == "up to date");
  std::ofstream(job / "cells.csv", std::ios::app) << "\n";
  CHECK(job.run(search).at("stages")[0].at("state") == "ran");
}
