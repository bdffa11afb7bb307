#include "search/search_store.hpp"

#include "search/strategy.hpp"
#include "store/arch_rows.hpp"
#include "store/database.hpp"
#include "store/query.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace omnifit::search {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::Additive;

/// A project with one search stage and a space, ready for searches of `tiny`.
class SearchProject {
 public:
  SearchProject() {
    database.write([this](SQLite::Database& sql) {
      sql.exec(
          "INSERT INTO job VALUES (1, 'h', '', '', '', '', '', '{}', '');"
          "INSERT INTO stage_run (id, job_id, stage, input_hash, state, started_at) VALUES (1, 1, "
          "'search', 'h', 'done', '')");
      space_id_ = store::put_space(
          sql, {.fingerprint = "f", .name = "tiny", .version = 1, .family = "mbconv", .yaml = ""});
    });
  }

  SearchTrace search(const StrategyConfig& config, const Problem& problem, std::uint64_t seed) {
    core::NullProgress progress;
    auto evaluator = model.evaluator();
    return run_search(config, space, evaluator, problem, seed, progress);
  }

  std::int64_t store(const SearchRunRow& row, const Problem& problem, const SearchTrace& trace,
                     const SearchStoreOptions& options = {}) {
    std::int64_t id = 0;
    database.write([&](SQLite::Database& sql) {
      id = put_search(
          sql, row, problem, trace,
          [&](const space::Arch& arch) {
            return store::put_arch(
                sql, {.space_id = space_id_, .text = space::to_text(space, arch), .json = "{}"});
          },
          options);
    });
    return id;
  }

  std::vector<StoredSearch> load() const {
    std::vector<StoredSearch> runs;
    database.read([&](SQLite::Database& sql) { runs = searches(sql, 1); });
    return runs;
  }

  test::TempDir dir;
  store::Database database{dir / "p.omnifit", store::Database::Mode::kReadWrite};
  space::SearchSpace space = test::load_space("tiny");
  Additive model{space};

 private:
  std::int64_t space_id_ = 0;
};

const SearchRunRow kRow{
    .stage_run_id = 1, .budget = "latency <= 40%", .strategy = "evolution", .seed = ~0ULL};

}  // namespace

TEST_CASE("a search is stored and found again", "[search][unit]") {
  SearchProject project;
  const Problem problem = test::best_within(1.4);
  const SearchTrace trace =
      project.search(EvolutionConfig{.population_size = 10, .max_evaluations = 60}, problem, 1);
  REQUIRE(trace.front.size() > 2);
  const std::int64_t id = project.store(kRow, problem, trace);

  const auto runs = project.load();
  REQUIRE(runs.size() == 1);
  const StoredSearch& run = runs.front();
  CHECK(run.id == id);
  CHECK(run.budget == kRow.budget);
  CHECK(run.strategy == "evolution");
  CHECK(run.constraints_json == R"({"latency_ms":1.4})");
  CHECK(run.seed == ~0ULL);
  CHECK(run.num_evaluations == 60);
  CHECK(run.best_top1 == trace.archive[*trace.best].values[0]);
  CHECK(run.stop_reason == "evaluation budget used");
  REQUIRE(run.results.size() == trace.front.size());
  for (std::size_t i = 0; i < run.results.size(); ++i) {
    const Evaluated& member = trace.archive[trace.front[i]];
    CHECK(run.results[i].rank == static_cast<int>(i));
    CHECK(run.results[i].arch_text == space::to_text(project.space, member.arch));
    CHECK(run.results[i].top1 == member.values[0]);
    CHECK(run.results[i].latency_ms == member.values[1]);
  }
  // The first is the best, the others lead down to cheaper ones.
  CHECK(run.results.front().top1 == *run.best_top1);
  for (std::size_t i = 1; i < run.results.size(); ++i) {
    CHECK(run.results[i].top1 < run.results[i - 1].top1);
    CHECK(*run.results[i].latency_ms < *run.results[i - 1].latency_ms);
  }
  const auto generations =
      store::query(project.database,
                   "SELECT generation, num_evaluations, best_top1 IS NOT NULL, feasible_share "
                   "FROM search_generation ORDER BY generation");
  REQUIRE(generations.rows.size() == trace.generations.size());
  CHECK(generations.rows.back()[1] == "60");
}

TEST_CASE("storing again replaces, other budgets and strategies stay", "[search][unit]") {
  SearchProject project;
  const Problem problem = test::best_within(1.4);
  const SearchTrace first = project.search(RandomConfig{.max_evaluations = 20}, problem, 1);
  const SearchTrace second = project.search(RandomConfig{.max_evaluations = 30}, problem, 2);
  SearchRunRow other = kRow;
  other.strategy = "random";
  project.store(kRow, problem, first);
  project.store(other, problem, first);
  project.store(kRow, problem, second, {.max_results = 2});
  const auto runs = project.load();
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].strategy == "random");
  CHECK(runs[0].num_evaluations == 20);
  CHECK(runs[1].num_evaluations == 30);
  CHECK(runs[1].results.size() == 2);
  CHECK(project.database.check().empty());
}

TEST_CASE("a search without a feasible subnet is stored as one", "[search][unit]") {
  SearchProject project;
  const Problem problem = test::best_within(0.5);
  project.store(kRow, problem, project.search(RandomConfig{.max_evaluations = 20}, problem, 1));
  const auto runs = project.load();
  REQUIRE(runs.size() == 1);
  CHECK_FALSE(runs.front().best_top1.has_value());
  CHECK(runs.front().results.empty());
  CHECK(runs.front().stop_reason == "no feasible subnet found");
}

TEST_CASE("columns are only filled with what they mean", "[search][unit]") {
  SearchProject project;
  // No latency among the metrics, and another objective than top-1.
  test::FakeEvaluator evaluator(
      {{{.name = "macs", .maximise = false},
        [&](const space::Arch& a) { return project.model.latency_ms(a); }},
       {{.name = "top1", .maximise = true},
        [&](const space::Arch& a) { return project.model.top1(a); }}});
  const Problem problem{.objectives = {{.metric = "macs", .maximise = {}}},
                        .bounds = {{.metric = "top1", .min = 0.505, .max = {}}}};
  core::NullProgress progress;
  const SearchTrace trace = run_search(RandomConfig{.max_evaluations = 40}, project.space,
                                       evaluator, problem, 1, progress);
  project.store(kRow, problem, trace);
  const auto runs = project.load();
  CHECK(runs.front().constraints_json == R"({"min_top1":0.505})");
  CHECK(runs.front().best_top1 == trace.archive[*trace.best].values[1]);
  CHECK_FALSE(runs.front().results.front().latency_ms.has_value());
  CHECK(store::query(project.database,
                     "SELECT count(best_top1) + count(mean_top1) FROM search_generation")
            .rows[0][0] == "0");
}

TEST_CASE("bounds as JSON", "[search][unit]") {
  CHECK(bounds_json({}) == "{}");
  CHECK(bounds_json({.objectives = {},
                     .bounds = {{.metric = "macs", .min = 1.0, .max = 2.5},
                                {.metric = "top1", .min = 0.5, .max = {}}}}) ==
        R"({"macs":2.5,"min_macs":1,"min_top1":0.5})");
}

TEST_CASE("a search without top-1 has no place in the project file", "[search][error]") {
  SearchProject project;
  test::FakeEvaluator evaluator({{{.name = "macs", .maximise = false}, [&](const space::Arch& a) {
                                    return project.model.latency_ms(a);
                                  }}});
  const Problem problem{.objectives = {{.metric = "macs", .maximise = {}}}, .bounds = {}};
  core::NullProgress progress;
  const SearchTrace trace = run_search(RandomConfig{.max_evaluations = 5}, project.space, evaluator,
                                       problem, 1, progress);
  CHECK_THROWS_AS(project.store(kRow, problem, trace), std::invalid_argument);
  CHECK_THROWS_WITH(project.store(kRow, problem, trace), ContainsSubstring("metric 'top1'"));
}

}  // namespace omnifit::search
