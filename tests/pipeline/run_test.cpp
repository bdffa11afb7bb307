#include "core/file_io.hpp"
#include "core/interrupt.hpp"
#include "pipeline/result_summary.hpp"
#include "pipeline/runner.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "store/query.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_timer.hpp"
#include "tests/support/project_dump.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/tiny_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

using namespace omnifit;
using namespace omnifit::pipeline;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A device whose whole networks take `network_scale` times the sum of their units. It always
/// presents itself as the same one.
Services fake_services(double network_scale = test::FakeTimerOptions{}.network_scale) {
  return {[network_scale](const DeviceConfig&, const std::string&) {
    test::FakeTimerOptions options;
    options.network_scale = network_scale;
    return std::make_unique<test::FakeTimer>(options);
  }};
}

/// Opens the project of a job file, runs, and closes it again, as one command does.
std::vector<StageStatus> run(const std::filesystem::path& job,
                             const std::vector<std::string>& assignments = {},
                             const RunOptions& options = {},
                             const Services& services = fake_services()) {
  JobOverrides overrides;
  overrides.assignments = assignments;
  Job loaded = load_job(job, overrides);
  std::filesystem::create_directories(loaded.project_file.parent_path());
  store::Database db(loaded.project_file, store::Database::Mode::kReadWrite);
  core::NullProgress progress;
  RunContext context(std::move(loaded), db, services, progress);
  return run_job(context, options);
}

std::vector<std::string> stages_that(const std::vector<StageStatus>& statuses,
                                     StageStatus::State state) {
  std::vector<std::string> names;
  for (const StageStatus& status : statuses) {
    if (status.state == state) names.push_back(stage_name(status.stage));
  }
  return names;
}

using State = StageStatus::State;
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("without refinements the search ranks by the fitted predictor alone",
          "[pipeline][unit]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path());
  run(job, {"search.refinements=0"});
  const store::Database db(folder / "project/tiny.db", store::Database::Mode::kReadOnly);
  CHECK(store::query(db,
                     "SELECT s.stage FROM predictor p JOIN stage_run s ON s.id = "
                     "p.stage_run_id")
            .rows == std::vector<Names>{{"fit"}});
}

TEST_CASE("a job runs once, and again only what its changes reach", "[pipeline][unit]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path());
  const std::filesystem::path db_file = folder / "project/tiny.db";

  const auto first = run(job);
  CHECK(stages_that(first, State::kRan).size() == all_stages().size());
  const std::string dump = test::project_dump(db_file);
  {
    const store::Database db(db_file, store::Database::Mode::kReadOnly);
    CHECK(db.check().empty());
    // Every winner keeps its budget in the fake timer's own measurement, and the ends of the space
    // are there.
    const auto rows =
        store::query(db,
                     "SELECT budget, role FROM verification WHERE role <> 'over_budget' ORDER BY 1")
            .rows;
    CHECK(rows == std::vector<Names>{{"largest", "largest"},
                                     {"latency <= 50%", "winner"},
                                     {"macs <= 40%", "winner"},
                                     {"smallest", "smallest"}});
    // The 24 samples, and what the search hoped for and verify chose from: measured, not only
    // predicted.
    const auto count = [&db](const std::string& sql) {
      return std::stoi(store::query(db, sql).rows.at(0).at(0));
    };
    const std::string measured = "(SELECT arch_id FROM accuracy WHERE split = 'validation')";
    CHECK(count("SELECT count(*) FROM accuracy WHERE split = 'validation'") > 24);
    CHECK(count("SELECT count(*) FROM verification WHERE arch_id NOT IN " + measured) == 0);
    CHECK(count("SELECT count(*) FROM search_result r JOIN search_run s ON s.id = r.search_run_id "
                "WHERE s.strategy = 'evolution' AND r.arch_id NOT IN " +
                measured) == 0);
    CHECK(count("SELECT p.num_train + p.num_held_out FROM predictor p JOIN stage_run s ON s.id = "
                "p.stage_run_id WHERE s.stage = 'search'") > 24);
  }
  CHECK(std::filesystem::exists(folder / "project/report.html"));
  CHECK(std::filesystem::exists(folder / "project/export/macs-40pct.onnx"));

  const auto second = run(job);
  CHECK(stages_that(second, State::kUpToDate).size() == all_stages().size());
  CHECK(test::first_difference(test::project_dump(db_file), dump) == "");

  SECTION("a changed section reaches its stage, and what follows only if the result differs") {
    const auto alone = run(job, {"search.baselines=[]"});
    CHECK(stages_that(alone, State::kRan) == Names{"search"});
    const auto tighter = run(job, {"search.budgets.0.latency=20%"});
    CHECK(stages_that(tighter, State::kUpToDate) == Names{"train", "profile", "collect", "fit"});
  }
  SECTION("another thread count is another training") {
    RunOptions dry;
    dry.dry_run = true;
    const auto changed = run(job, {"threads=2"}, dry);
    CHECK(changed.front().state == State::kWouldRun);
    CHECK(changed.front().reason == "its inputs changed");
    CHECK(changed[2].reason == "waits for train");
  }
  SECTION("force runs a finished stage again and gives the same result") {
    RunOptions force;
    force.force = {Stage::kTrain, Stage::kCollect};
    const auto forced = run(job, {}, force);
    CHECK(stages_that(forced, State::kRan) == Names{"train", "collect"});
    CHECK(test::first_difference(test::project_dump(db_file), dump) == "");
  }
  SECTION("a lost file is made again") {
    std::filesystem::remove(folder / "project/export/macs-40pct.onnx");
    CHECK(stages_that(run(job), State::kRan) == Names{"export"});
    std::filesystem::remove(folder / "project/report.html");
    CHECK(stages_that(run(job), State::kRan) == Names{"report"});
  }
  SECTION("a damaged checkpoint is trained again") {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(folder / "project/tiny.checkpoints")) {
      if (entry.path().extension() == ".safetensors")
        std::filesystem::resize_file(entry.path(), 100);
    }
    const auto repaired = run(job);
    CHECK(repaired.front().state == State::kRan);
    CHECK(test::first_difference(test::project_dump(db_file), dump) == "");
  }
  SECTION("a moved project folder is still whole") {
    std::filesystem::rename(folder / "project", folder / "moved");
    CHECK(stages_that(run(job, {"project=" + (folder / "moved/tiny.db").string()}), State::kRan)
              .empty());
  }
}

TEST_CASE("one stage alone needs what it consumes", "[pipeline][error]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path());
  RunOptions only;
  only.stages = {Stage::kCollect};
  CHECK_THROWS_WITH(run(job, {}, only), ContainsSubstring("collect needs the result of train") &&
                                            ContainsSubstring("omnifit train " + job.string()));
  only.stages = {Stage::kTrain};
  CHECK(stages_that(run(job, {}, only), State::kRan) == Names{"train"});
  only.stages = {Stage::kCollect};
  CHECK(stages_that(run(job, {}, only), State::kRan) == Names{"collect"});
}

TEST_CASE("a budget nobody can meet ends with the binding constraint", "[pipeline][error]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path());
  try {
    run(job, {"search.budgets.0.latency=0.001 us"});
    FAIL("the search accepted an impossible budget");
  } catch (const GoalError& missed) {
    CHECK(missed.exit_code() == ExitCode::kGoalMissed);
    CHECK_THAT(missed.what(), ContainsSubstring("latency <= 0.001 us") &&
                                  ContainsSubstring("cannot be met") &&
                                  ContainsSubstring("the cheapest subnet of the space has"));
  }
  const store::Database db(folder / "project/tiny.db", store::Database::Mode::kReadOnly);
  CHECK(store::query(db, "SELECT state FROM stage_run WHERE stage = 'search'").rows ==
        std::vector<Names>{{"goal_missed"}});
  CHECK(store::query(db, "SELECT count(*) FROM stage_run WHERE state = 'done'").rows[0][0] == "4");
}

TEST_CASE("bounds that exclude each other end the job before it searches", "[pipeline][error]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path());
  try {
    run(job, {R"(search.budgets.0.bounds=["macs <= 2%", "params >= 95%"])"});
    FAIL("the search accepted bounds that exclude each other");
  } catch (const GoalError& missed) {
    CHECK_THAT(missed.what(), ContainsSubstring("no subnet of the space keeps macs <= ") &&
                                  ContainsSubstring(" and params >= ") &&
                                  ContainsSubstring("at once (proven); where the rest is kept"));
  }
  const store::Database db(folder / "project/tiny.db", store::Database::Mode::kReadOnly);
  CHECK(store::query(db, "SELECT count(*) FROM search_run").rows[0][0] == "0");
}

TEST_CASE("a search under tight bounds starts from a network that keeps them", "[pipeline][unit]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path());
  // Of all subnets one alone has so few multiply-accumulates at so many parameters.
  const auto space = find_space("tiny", folder.path());
  std::vector<std::pair<std::int64_t, std::int64_t>> costs;
  for (const space::Arch& arch : space::enumerate(space)) {
    const auto plan = space::lower(space, arch, {3, 10});
    costs.emplace_back(space::macs(plan), space::params_count(plan));
  }
  std::optional<std::pair<std::int64_t, std::int64_t>> only;
  const std::int64_t fewest = std::ranges::min(costs).first;
  std::int64_t most = 0;
  for (const auto& cost : costs) most = std::max(most, cost.second);
  for (const auto& [macs, params] : costs) {
    const auto keeps = [&](const auto& other) {
      return other.first <= macs && other.second >= params;
    };
    const bool inside = macs > fewest && params < most;
    if (inside && std::ranges::count_if(costs, keeps) == 1) only = {macs, params};
  }
  REQUIRE(only.has_value());
  run(job, {"stages=[train, collect, fit, search]", "search.refinements=0", "search.strategy=nsga2",
            "search.nsga2.population_size=4", "search.nsga2.max_evaluations=4",
            fmt::format("search.budgets=[{{bounds: ['macs <= {}', 'params >= {}']}}]", only->first,
                        only->second)});
  const store::Database db(folder / "project/tiny.db", store::Database::Mode::kReadOnly);
  CHECK(store::query(db,
                     "SELECT s.strategy, a.macs FROM search_run s LEFT JOIN search_result r ON "
                     "r.search_run_id = s.id LEFT JOIN arch a ON a.id = r.arch_id ORDER BY 1")
            .rows == std::vector<Names>{{"nsga2", std::to_string(only->first)}, {"random", ""}});
}

TEST_CASE("verify walks down the front until a network really keeps its budget",
          "[pipeline][unit]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path());
  RunOptions until_search;
  until_search.stages = {Stage::kTrain, Stage::kProfile, Stage::kCollect, Stage::kFit,
                         Stage::kSearch};
  run(job, {}, until_search);
  RunOptions verify;
  verify.stages = {Stage::kVerify};

  SECTION("a slower device than estimated: the best candidate is over the budget") {
    run(job, {}, verify, fake_services(1.7));
    const store::Database db(folder / "project/tiny.db", store::Database::Mode::kReadOnly);
    const auto rows = store::query(db,
                                   "SELECT step, role, measured_latency_ms <= 0.0926, "
                                   "measured_top1 IS NULL FROM verification "
                                   "WHERE budget = 'latency <= 50%' ORDER BY step")
                          .rows;
    // The second candidate of the list is skipped: off by the same ratio, it would be too slow as
    // well.
    CHECK(rows == std::vector<Names>{{"0", "over_budget", "0", "1"}, {"1", "winner", "1", "0"}});
    // The other budget bounds MACs alone, so its best candidate wins however slow it is.
    CHECK(
        store::query(db, "SELECT step, role FROM verification WHERE budget = 'macs <= 40%'").rows ==
        std::vector<Names>{{"0", "winner"}});
  }
  SECTION("a device on which nothing keeps it") {
    try {
      run(job, {}, verify, fake_services(5.0));
      FAIL("verify accepted a network over its budget");
    } catch (const GoalError& missed) {
      CHECK_THAT(missed.what(),
                 ContainsSubstring("budget 'latency <= 50%'") &&
                     ContainsSubstring("measured networks keeps it; the fastest of them takes"));
    }
  }
  SECTION("force measures again") {
    run(job, {}, verify);
    verify.force = {Stage::kVerify};
    run(job, {}, verify, fake_services(1.7));
    const store::Database db(folder / "project/tiny.db", store::Database::Mode::kReadOnly);
    CHECK(store::query(db, "SELECT count(*) FROM verification WHERE role = 'over_budget'")
              .rows[0][0] == "1");
  }
}

TEST_CASE("an interrupted stage is recorded and goes on", "[pipeline][unit]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path());
  core::request_stop(true);
  CHECK_THROWS_AS(run(job), Interrupted);
  core::request_stop(false);
  RunOptions dry;
  dry.dry_run = true;
  CHECK(run(job, {}, dry).front().reason == "goes on where it stopped");
  const auto finished = run(job);
  CHECK(finished.front().reason == "goes on where it stopped");
  CHECK(stages_that(finished, State::kRan).size() == all_stages().size());
}

TEST_CASE("results do not depend on the threads outside LibTorch", "[pipeline][property]") {
  // The training's identity holds the thread count; everything after it must not.
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path());
  RunOptions train;
  train.stages = {Stage::kTrain};
  run(job, {}, train);
  std::vector<std::string> dumps;
  for (const int threads : {1, 2}) {
    // One LibTorch thread trains in both; the others only collect, fit and search.
    JobOverrides overrides;
    Job loaded = load_job(job, overrides);
    const test::TempDir copy;
    std::filesystem::copy(folder / "project", copy / "project",
                          std::filesystem::copy_options::recursive);
    loaded.project_file = copy / "project/tiny.db";
    store::Database db(loaded.project_file, store::Database::Mode::kReadWrite);
    const Services services = fake_services();
    core::NullProgress progress;
    RunContext context(std::move(loaded), db, services, progress);
    context.set_outer_threads(threads);
    run_job(context, {});
    dumps.push_back(test::project_dump(copy / "project/tiny.db"));
  }
  CHECK(test::first_difference(dumps[0], dumps[1]) == "");
}
