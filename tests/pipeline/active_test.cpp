#include "core/interrupt.hpp"
#include "pipeline/runner.hpp"
#include "store/query.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_timer.hpp"
#include "tests/support/project_dump.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/tiny_job.hpp"

#include <memory>

using namespace omnifit;
using namespace omnifit::pipeline;
using Catch::Matchers::ContainsSubstring;

namespace {

using Rows = std::vector<std::vector<std::string>>;

/// The tiny job with a search that measures 18 subnets instead of asking a predictor.
std::string active_job_text() {
  std::string text = test::tiny_job_text();
  text.replace(text.find("  evolution:"), text.find("  budgets:") - text.find("  evolution:"),
               "  strategy: active\n"
               "  active: {initial_samples: 6, batch_size: 4, candidates: 100, max_evaluations: "
               "18}\n");
  return text;
}

/// Asks for a stop once the task "search" has advanced so many times.
class Stopper final : public core::ProgressSink {
 public:
  explicit Stopper(int batches) : batches_(batches) {}
  void begin(std::string_view task, std::int64_t, std::string_view, std::int64_t) override {
    searching_ = task == "search";
  }
  void advance(std::int64_t units, std::string_view) override {
    if (searching_ && units > 0 && --batches_ == 0) core::request_stop(true);
  }
  void message(std::string_view) override {}
  void end() override { searching_ = false; }

 private:
  int batches_;
  bool searching_ = false;
};

std::vector<StageStatus> run(const std::filesystem::path& job, core::ProgressSink& progress,
                             const std::vector<std::string>& assignments = {}) {
  JobOverrides overrides;
  overrides.assignments = assignments;
  Job loaded = load_job(job, overrides);
  std::filesystem::create_directories(loaded.project_file.parent_path());
  store::Database db(loaded.project_file, store::Database::Mode::kReadWrite);
  const Services services{[](const DeviceConfig&, const std::string&) {
    return std::make_unique<test::FakeTimer>(test::FakeTimerOptions{});
  }};
  RunContext context(std::move(loaded), db, services, progress);
  return run_job(context, {});
}

}  // namespace

TEST_CASE("an active job measures in its search, and its budgets are picked from one front",
          "[pipeline][property]") {
  const test::TempDir folder;
  const std::filesystem::path job = test::write_tiny_job(folder.path(), active_job_text());
  core::NullProgress progress;
  const auto statuses = run(job, progress, {"search.baselines=[random]"});
  // Neither collected nor fitted: nobody asks a predictor.
  CHECK(statuses.size() == all_stages().size() - 2);
  const store::Database db(folder / "project/tiny.db", store::Database::Mode::kReadOnly);
  const auto count = [&db](const std::string& sql) {
    return std::stoi(store::query(db, sql).rows.at(0).at(0));
  };
  CHECK(count("SELECT count(*) FROM predictor") == 0);
  CHECK(store::query(db, "SELECT budget, strategy, count(*) FROM search_archive GROUP BY 1, 2")
            .rows == Rows{{"all budgets", "active", "18"}});
  CHECK(store::query(db,
                     "SELECT budget, strategy, num_evaluations, top1_source FROM search_run ORDER "
                     "BY 1, 2")
            .rows == Rows{{"latency <= 50%", "active", "18", "measured"},
                          {"latency <= 50%", "random", "18", "measured"},
                          {"macs <= 40%", "active", "18", "measured"},
                          {"macs <= 40%", "random", "18", "measured"}});
  // Every result is what was measured on the validation images, and every winner comes from there.
  CHECK(count("SELECT count(*) FROM search_result r JOIN accuracy a ON a.arch_id = r.arch_id AND "
              "a.split = 'validation' WHERE a.top1 <> r.top1") == 0);
  CHECK(count("SELECT count(*) FROM search_result r WHERE NOT EXISTS (SELECT 1 FROM accuracy a "
              "WHERE a.arch_id = r.arch_id AND a.split = 'validation')") == 0);
  CHECK(
      count("SELECT count(*) FROM search_archive WHERE arch_text NOT IN (SELECT text FROM arch)") ==
      0);
  CHECK(store::query(db,
                     "SELECT role, predicted_top1 IS NULL, measured_top1 IS NOT NULL FROM "
                     "verification WHERE role = 'winner'")
            .rows == Rows{{"winner", "1", "1"}, {"winner", "1", "1"}});
  CHECK(count("SELECT count(*) FROM search_generation WHERE hypervolume IS NULL") == 0);
  CHECK(count("SELECT count(DISTINCT hypervolume_box) FROM search_run") == 2);
  CHECK(db.check().empty());
}

TEST_CASE("an active job that was stopped goes on with the result it would have had",
          "[pipeline][property]") {
  const test::TempDir folder;
  const auto calm = test::write_tiny_job(folder / "calm", active_job_text());
  const auto wild = test::write_tiny_job(folder / "wild", active_job_text());
  core::NullProgress silent;
  run(calm, silent);
  Stopper stopper(2);
  CHECK_THROWS_AS(run(wild, stopper), Interrupted);
  core::request_stop(false);
  {
    const store::Database db(folder / "wild/project/tiny.db", store::Database::Mode::kReadOnly);
    CHECK(store::query(db, "SELECT count(*) FROM search_archive").rows == Rows{{"10"}});
    CHECK(store::query(db, "SELECT state FROM stage_run WHERE stage = 'search'").rows ==
          Rows{{"interrupted"}});
  }
  run(wild, silent);
  CHECK(test::first_difference(test::project_dump(folder / "wild/project/tiny.db"),
                               test::project_dump(folder / "calm/project/tiny.db")) == "");
}

TEST_CASE("an active search is no baseline, and its job needs its training", "[pipeline][error]") {
  const test::TempDir folder;
  const auto error_of = [&](const std::vector<std::string>& assignments) -> std::string {
    JobOverrides overrides;
    overrides.assignments = assignments;
    try {
      load_job(test::write_tiny_job(folder.path(), active_job_text()), overrides);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(error_of({}).empty());
  CHECK_THAT(error_of({"search.baselines=[active]"}),
             ContainsSubstring("must be one of evolution") && ContainsSubstring("got 'active'"));
  CHECK_THAT(error_of({"stages=[search, report]"}), ContainsSubstring("search needs train"));
  CHECK_THAT(error_of({"search.active.max_evaluations=0"}), ContainsSubstring("max_evaluations"));
}
