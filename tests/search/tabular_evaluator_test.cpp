#include "search/tabular_evaluator.hpp"

#include "core/error.hpp"
#include "search/random_search.hpp"
#include "space/sampling.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <cmath>
#include <fstream>
#include <vector>

namespace omnifit::search {
namespace {

/// Three of the four archs have figures.
class Table {
 public:
  Table() {
    std::ofstream(folder_.path() / "t.csv") << "a,b,acc,ms\n0,0,50,1\n1,0,70,2\n1,1,60,3\n";
  }
  [[nodiscard]] space::TabularData load() const {
    return space::TabularData::load(space, folder_.path());
  }

  space::SearchSpace space = space::SearchSpace::from_yaml(core::parse_yaml(R"(
name: pairs
family: tabular
genes:
  - {name: a, choices: [0, 1]}
  - {name: b, choices: [0, 1]}
tables:
  - file: t.csv
    metrics:
      - {name: accuracy, column: acc, maximise: true, factor: 0.01, unit: fraction}
      - {name: latency_ms, column: ms, unit: ms}
)",
                                                                            "pairs.yaml"));

 private:
  test::TempDir folder_;
};

TEST_CASE("a table gives its metrics under the names a search knows, and NaN where it is silent",
          "[search][unit]") {
  const Table table;
  const space::TabularData data = table.load();
  const std::vector<TabularColumn> columns{{.metric = "latency_ms", .name = {}},
                                           {.metric = "accuracy", .name = "top1"}};
  TabularEvaluator evaluator(data, columns);
  REQUIRE(evaluator.metrics().size() == 2);
  CHECK(evaluator.metrics()[0].name == "latency_ms");
  CHECK_FALSE(evaluator.metrics()[0].maximise);
  CHECK(evaluator.metrics()[1].name == "top1");
  CHECK(evaluator.metrics()[1].maximise);
  const std::vector<space::Arch> archs{space::parse_arch(table.space, "pairs/v1 a=1 b=0"),
                                       space::parse_arch(table.space, "pairs/v1 a=0 b=1")};
  const MetricTable values = evaluator.evaluate(archs);
  CHECK(values.row(0)[0] == 2.0);
  CHECK(values.row(0)[1] == Approx(0.7));
  CHECK(std::isnan(values.row(1)[0]));
  CHECK(std::isnan(values.row(1)[1]));
  const std::vector<TabularColumn> unknown{{.metric = "acuracy", .name = {}}};
  CHECK_THROWS_WITH(TabularEvaluator(data, unknown),
                    "the tables have no metric 'acuracy'; did you mean 'accuracy'? (allowed: "
                    "accuracy, latency_ms)");
}

TEST_CASE("searches run over a table; archs it lacks are infeasible", "[search][unit]") {
  const Table table;
  const space::TabularData data = table.load();
  const std::vector<TabularColumn> columns{{.metric = "accuracy", .name = "top1"},
                                           {.metric = "latency_ms", .name = {}}};
  TabularEvaluator evaluator(data, columns);
  core::NullProgress progress;
  const SearchTrace trace = run_random_search({.max_evaluations = 10, .batch_size = 4}, table.space,
                                              evaluator, test::best_within(2.5), 1, progress);
  CHECK(trace.archive.size() == 4);
  CHECK(trace.num_feasible() == 2);
  REQUIRE(trace.best);
  CHECK(space::to_text(table.space, trace.archive[*trace.best].arch) == "pairs/v1 a=1 b=0");
}

}  // namespace
}  // namespace omnifit::search
