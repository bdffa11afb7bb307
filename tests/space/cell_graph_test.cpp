#include "space/cell_graph.hpp"

#include "core/error.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <map>

namespace omnifit::space {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string cell_yaml() {
  return R"(
name: cell
family: tabular
graph: {cut: none, pass: skip}
genes:
  - {name: e01, edge: [0, 1], choices: [none, skip, conv]}
  - {name: e02, edge: [0, 2], choices: [none, skip, conv]}
  - {name: e12, edge: [1, 2], choices: [none, skip, conv]}
tables:
  - file: t.csv
    metrics:
      - {name: top1, column: acc, maximise: true, unit: fraction}
)";
}

std::map<std::string, double> figures(const SearchSpace& space, const std::string& genes) {
  const CellFeatures features(space);
  std::vector<double> row(features.num_columns());
  features.encode(parse_arch(space, "cell/v1 " + genes), row);
  std::map<std::string, double> named;
  for (std::size_t c = 0; c < row.size(); ++c) named[features.column_names()[c]] = row[c];
  return named;
}

TEST_CASE("figures of a cell count what is live", "[space][unit]") {
  const SearchSpace space = test::space_from(cell_yaml());
  const auto both = figures(space, "e01=conv e02=skip e12=conv");
  CHECK(both.at("live conv") == Approx(2.0 / 3.0));
  CHECK(both.at("live skip") == Approx(1.0 / 3.0));
  CHECK(both.at("dead") == 0.0);
  CHECK(both.at("most conv") == 1.0);         // two of the two edges of the longer path
  CHECK(both.at("all conv") == Approx(0.5));  // of four places on two paths
  CHECK(both.at("most skip") == Approx(0.5));
  CHECK(both.at("paths") == 1.0);
  CHECK(both.at("depth") == 1.0);

  const auto cut = figures(space, "e01=none e02=skip e12=conv");
  CHECK(cut.at("dead") == Approx(2.0 / 3.0));
  CHECK(cut.at("live conv") == 0.0);
  CHECK(cut.at("paths") == 0.5);
  CHECK(cut.at("depth") == 0.0);
}

TEST_CASE("archs that differ in dead edges alone have equal figures within [0, 1]",
          "[space][property]") {
  const SearchSpace space = test::space_from(cell_yaml());
  CHECK(figures(space, "e01=none e02=conv e12=conv") ==
        figures(space, "e01=none e02=conv e12=skip"));
  CHECK(figures(space, "e01=none e02=conv e12=conv") ==
        figures(space, "e01=skip e02=conv e12=none"));
  const SearchSpace cells = test::shipped_space("nasbench201");
  const CellFeatures features(cells);
  CHECK(features.num_columns() == 15);
  std::vector<double> row(features.num_columns());
  for (const Arch& arch : enumerate(cells)) {
    features.encode(arch, row);
    REQUIRE(std::ranges::all_of(row, [](double v) { return v >= 0.0 && v <= 1.0; }));
  }
}

TEST_CASE("graphs that are none are refused", "[space][error]") {
  const auto error = [](const std::string& before, const std::string& after) -> std::string {
    std::string yaml = cell_yaml();
    yaml.replace(yaml.find(before), before.size(), after);
    try {
      (void)test::space_from(yaml);
    } catch (const ConfigError& problem) {
      return problem.what();
    }
    return "no error";
  };
  CHECK_THAT(error("edge: [0, 1]", "edge: [1, 1]"),
             ContainsSubstring("edge of 'e01' must be two ascending nodes"));
  CHECK_THAT(error("edge: [0, 1], ", ""),
             ContainsSubstring("edge of 'e01' must be two ascending nodes"));
  CHECK_THAT(error("graph: {cut: none, pass: skip}\n", ""),
             ContainsSubstring("graph: missing, but 'e01' is an edge"));
  CHECK_THAT(error("cut: none", "cut: zero"), ContainsSubstring("'e01' has no choice 'zero'"));
  CHECK_THAT(error("cut: none, ", ""), ContainsSubstring("graph.cut: missing"));
  CHECK_THAT(error("edge: [0, 2]", "edge: [1, 3]"), ContainsSubstring("no error"));
  CHECK_THAT(error("edge: [0, 2]", "edge: [4, 5]"),
             ContainsSubstring("graph: has 0 paths from node 0 to the last, allowed are 1 to "));
}

}  // namespace
}  // namespace omnifit::space
