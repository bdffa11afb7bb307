#include "search/archive_store.hpp"

#include "core/error.hpp"
#include "search/front_history.hpp"
#include "space/sampling.hpp"
#include "store/database.hpp"
#include "store/query.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <SQLiteCpp/Database.h>

#include <cmath>
#include <limits>
#include <vector>

namespace omnifit::search {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const std::vector<Metric> kMetrics{{.name = "top1", .maximise = true},
                                   {.name = "latency_ms", .maximise = false}};

Problem bi_objective() {
  return {
      .objectives = {{.metric = "top1", .maximise = {}}, {.metric = "latency_ms", .maximise = {}}},
      .bounds = {}};
}

/// Archs of `tiny` with the given values, scored.
std::vector<Evaluated> members(const space::SearchSpace& space, const Problem& problem,
                               const std::vector<std::vector<double>>& values) {
  const Scorer scorer(problem, kMetrics);
  const std::vector<space::Arch> archs = space::enumerate(space);
  std::vector<Evaluated> found;
  for (std::size_t i = 0; i < values.size(); ++i)
    found.push_back({.arch = archs[i], .values = values[i], .score = scorer.score(values[i])});
  return found;
}

/// Two values of the worst corner, then better ones in two generations of two.
SearchTrace small_trace(const space::SearchSpace& space, const Problem& problem) {
  SearchTrace trace;
  trace.metrics = kMetrics;
  trace.archive =
      members(space, problem, {{0.5, 10.0}, {0.5, 0.0}, {0.9, 10.0}, {0.7, 5.0}, {kNan, 1.0}});
  for (const std::int64_t evaluations : {2, 3, 5}) {
    GenerationRecord record;
    record.generation = static_cast<int>(trace.generations.size());
    record.num_evaluations = evaluations;
    trace.generations.push_back(record);
  }
  return trace;
}

TEST_CASE("the front's hypervolume is a share of what the search saw", "[search][unit]") {
  const space::SearchSpace space = test::load_space("tiny");
  const SearchTrace trace = small_trace(space, bi_objective());
  const FrontHistory history = front_history(trace, bi_objective());
  REQUIRE(history.axes.size() == 2);
  CHECK(history.axes[0].metric == "top1");
  CHECK(history.axes[0].best == 0.9);
  CHECK(history.axes[0].worst == 0.5);
  CHECK(history.axes[1].best == 0.0);
  CHECK(history.axes[1].worst == 10.0);
  REQUIRE(history.hypervolume.size() == 3);
  // The two ends span no area; the arch between them covers half of each axis.
  CHECK(history.hypervolume[0] == 0.0);
  CHECK(history.hypervolume[1] == 0.0);
  CHECK(history.hypervolume[2] == Approx(0.25));

  // One objective: the bounded metric is the other axis, and a minimum is better exceeded.
  const Problem bounded{.objectives = {{.metric = "latency_ms", .maximise = {}}},
                        .bounds = {{.metric = "top1", .min = 0.6, .max = {}}}};
  SearchTrace second = small_trace(space, bounded);
  const FrontHistory of_bounded = front_history(second, bounded);
  REQUIRE(of_bounded.axes.size() == 2);
  CHECK(of_bounded.axes[0].best == 5.0);
  CHECK(of_bounded.axes[1].best == 0.9);
  CHECK(of_bounded.axes[1].worst == 0.7);

  for (Evaluated& member : second.archive) member.score.feasible = false;
  const FrontHistory nothing = front_history(second, bounded);
  CHECK(nothing.axes.empty());
  CHECK(nothing.hypervolume == std::vector<double>(3, 0.0));
}

TEST_CASE("hypervolumes of searches that are compared are shares of one box", "[search][unit]") {
  const space::SearchSpace space = test::load_space("tiny");
  const Problem problem = bi_objective();
  const SearchTrace trace = small_trace(space, problem);
  SearchTrace wider = trace;
  wider.archive = members(space, problem, {{0.1, 20.0}, {0.9, 0.0}});
  wider.generations.resize(1);
  wider.generations[0].num_evaluations = 1;
  const std::vector<const SearchTrace*> both{&trace, &wider};
  const FrontHistory first = front_history(trace, problem, both);
  const FrontHistory second = front_history(wider, problem, both);
  for (std::size_t axis = 0; axis < 2; ++axis) {
    CHECK(first.axes[axis].best == second.axes[axis].best);
    CHECK(first.axes[axis].worst == second.axes[axis].worst);
  }
  CHECK(first.axes[0].worst == 0.1);
  CHECK(first.axes[1].worst == 20.0);
  // Half of the box, then what 0.9 at 10 ms and 0.7 at 5 ms add.
  CHECK(first.hypervolume[0] == Approx(0.5));
  CHECK(first.hypervolume[2] == Approx(0.5 + 0.25 + 0.0625));
  CHECK(first.final_hypervolume == first.hypervolume[2]);
  // What came after the last generation counts in the end.
  CHECK(second.hypervolume[0] == 0.0);
  CHECK(second.final_hypervolume == Approx(1.0));
}

TEST_CASE("a front is judged in the box of an earlier search", "[search][unit]") {
  const space::SearchSpace space = test::load_space("tiny");
  const Problem problem = bi_objective();
  const SearchTrace earlier = small_trace(space, problem);
  const FrontHistory box = front_history(earlier, problem);
  CHECK(front_history_in(box.axes, earlier, problem).hypervolume == box.hypervolume);

  // 1.0 at 5 ms is better than the box' best of 0.9: 1.25 by 0.5 of it. What is slower than 10 ms
  // or below 0.5 adds nothing.
  SearchTrace wider = earlier;
  wider.archive = members(space, problem, {{0.45, 2.0}, {0.95, 11.0}, {1.0, 5.0}});
  wider.generations.resize(1);
  wider.generations[0].num_evaluations = 3;
  const FrontHistory judged = front_history_in(box.axes, wider, problem);
  CHECK(judged.final_hypervolume == Approx(1.25 * 0.5));
  CHECK(judged.axes[1].worst == 10.0);

  // A box of one point has no scale for what is better.
  SearchTrace one = earlier;
  one.archive = members(space, problem, {{0.7, 5.0}});
  const FrontHistory flat = front_history(one, problem);
  CHECK(front_history_in(flat.axes, one, problem).final_hypervolume == 1.0);
  CHECK(std::isnan(front_history_in(flat.axes, wider, problem).final_hypervolume));
  CHECK(front_history_in({}, wider, problem).final_hypervolume == 0.0);
}

/// A project with one search stage.
struct SearchProject {
  SearchProject() {
    database.write([](SQLite::Database& sql) {
      sql.exec(
          "INSERT INTO job VALUES (1, 'h', '', '', '', '', '', '{}', '');"
          "INSERT INTO stage_run (id, job_id, stage, input_hash, state, started_at) VALUES (1, 1, "
          "'search', 'h', 'running', '')");
    });
  }
  test::TempDir folder;
  store::Database database{folder / "p.omnifit", store::Database::Mode::kReadWrite};
  ArchiveKey key{.stage_run_id = 1, .budget = "all", .strategy = "active"};
};

TEST_CASE("an archive comes back as it was measured, batch by batch", "[search][unit]") {
  const space::SearchSpace space = test::load_space("tiny");
  const auto archive =
      members(space, bi_objective(), {{1.0 / 3.0, 2.0}, {0.5, 1e-300}, {kNan, 3.0}});
  SearchProject project;
  project.database.write([&](SQLite::Database& sql) {
    append_archive(sql, project.key, space, kMetrics, std::span(archive).first(2));
    append_archive(sql, project.key, space, kMetrics, std::span(archive).last(1));
    append_archive(sql, {1, "other", "active"}, space, kMetrics, archive);
  });
  project.database.write([&](SQLite::Database& sql) {
    const auto stored = stored_archive(sql, project.key, space, kMetrics, bi_objective());
    REQUIRE(stored.size() == 3);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(stored[i].arch == archive[i].arch);
      CHECK(stored[i].values == archive[i].values);
      CHECK(stored[i].score.objectives == archive[i].score.objectives);
      CHECK(stored[i].score.feasible);
    }
    CHECK(std::isnan(stored[2].values[0]));
    CHECK_FALSE(stored[2].score.feasible);
    CHECK(sql.execAndGet("SELECT metrics ->> '$.top1' FROM search_archive WHERE position = 1 AND "
                         "budget = 'all'")
              .getDouble() == 0.5);
    drop_archive(sql, project.key);
    CHECK(stored_archive(sql, project.key, space, kMetrics, bi_objective()).empty());
    CHECK(stored_archive(sql, {1, "other", "active"}, space, kMetrics, bi_objective()).size() == 3);
  });
}

TEST_CASE("an archive of another space or of other metrics is refused", "[search][error]") {
  const space::SearchSpace space = test::load_space("tiny");
  SearchProject project;
  project.database.write([&](SQLite::Database& sql) {
    append_archive(sql, project.key, space, kMetrics, members(space, bi_objective(), {{0.5, 2.0}}));
    CHECK_THROWS_AS(
        stored_archive(sql, project.key, test::load_space("mbv3_32px"), kMetrics, bi_objective()),
        DataError);
    std::vector<Metric> more = kMetrics;
    more.push_back({.name = "macs", .maximise = false});
    CHECK_THROWS_WITH(stored_archive(sql, project.key, space, more, bi_objective()),
                      "search_archive: a row lacks the metric 'macs'");
    sql.exec("UPDATE search_archive SET metrics = '{\"top1\":\"x\",\"latency_ms\":1}'");
    CHECK_THROWS_WITH(stored_archive(sql, project.key, space, kMetrics, bi_objective()),
                      "search_archive: metric 'top1' must be a number, found 'x'");
  });
}

TEST_CASE("a stored run tells how its front grew", "[search][unit]") {
  const space::SearchSpace space = test::load_space("tiny");
  SearchProject project;
  project.database.write([&](SQLite::Database& sql) {
    sql.exec(
        "INSERT INTO search_run (id, stage_run_id, budget, strategy, constraints, seed, "
        "num_evaluations, stop_reason) VALUES (7, 1, 'all', 'active', '{}', 1, 5, '');"
        "INSERT INTO search_generation (search_run_id, generation, num_evaluations, "
        "feasible_share) VALUES (7, 0, 2, 1), (7, 1, 3, 1), (7, 2, 5, 1)");
    const SearchTrace trace = small_trace(space, bi_objective());
    put_front_history(sql, 7, trace, front_history(trace, bi_objective()));
    CHECK(sql.execAndGet("SELECT hypervolume_box FROM search_run").getString() ==
          R"({"top1":[0.9,0.5],"latency_ms":[0,10]})");
    CHECK(sql.execAndGet("SELECT hypervolume FROM search_generation WHERE generation = 2")
              .getDouble() == Approx(0.25));
    const std::vector<FrontHistory::Axis> box = stored_box(sql, project.key);
    REQUIRE(box.size() == 2);
    CHECK(box[0].metric == "top1");
    CHECK(box[0].worst == 0.5);
    CHECK(box[1].best == 0.0);
    CHECK(box[1].worst == 10.0);
    CHECK(stored_box(sql, {.stage_run_id = 1, .budget = "none", .strategy = "active"}).empty());
    // In a box that has no scale for it a front has no figure.
    put_front_history(
        sql, 7, trace,
        front_history_in({{"top1", 0.6, 0.6}, {"latency_ms", 7.0, 7.0}}, trace, bi_objective()));
    CHECK(sql.execAndGet("SELECT hypervolume FROM search_run").isNull());
    sql.exec("UPDATE search_run SET hypervolume_box = '{\"top1\":[1]}'");
    CHECK_THROWS_WITH(stored_box(sql, project.key),
                      "search_run: hypervolume_box must have two numbers for 'top1'");
  });
}

}  // namespace
}  // namespace omnifit::search
