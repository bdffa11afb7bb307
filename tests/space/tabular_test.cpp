#include "space/tabular.hpp"

#include "core/error.hpp"
#include "space/encoding.hpp"
#include "space/find_arch.hpp"
#include "space/lower.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <cmath>
#include <fstream>
#include <set>

namespace omnifit::space {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::space_from;

/// Two genes, six archs; accuracies by pattern, latencies joined on an index, sizes by gene
/// columns.
const std::string kCells = R"(
name: cells
family: tabular
genes:
  - {name: edge_a, choices: [none, conv]}
  - {name: edge_b, choices: [none, conv, conv_wide]}
tables:
  - file: accuracy.csv
    arch_column: cell
    arch_pattern: "<{edge_b}|{edge_a}>"
    metrics:
      - {name: top1, column: acc, maximise: true, factor: 0.01, unit: fraction}
  - file: latency.csv
    join_on: index
    metrics:
      - {name: latency_ms, column: ms, unit: ms}
  - file: size.csv
    metrics:
      - {name: params, column: params, unit: parameters}
)";

struct Files {
  std::string accuracy =
      "index,cell,acc\n0,<none|none>,10\n1,<conv|none>,50\n2,<conv_wide|conv>,90\n3,<none|conv>,"
      "40\n";
  std::string latency = "ms,index\n1.5,1\n0.5,0\n2.5,3\n";
  std::string size = "edge_a,edge_b,params\nnone,none,7\nconv,conv_wide,70\n";
};

/// Writes the files and loads them.
class Tables {
 public:
  explicit Tables(const Files& files = {}) {
    write("accuracy.csv", files.accuracy);
    write("latency.csv", files.latency);
    write("size.csv", files.size);
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() / name, std::ios::binary) << text;
  }
  void remove(const std::string& name) const { std::filesystem::remove(folder_.path() / name); }
  [[nodiscard]] TabularData load() const { return TabularData::load(space_, folder_.path()); }
  [[nodiscard]] const SearchSpace& space() const { return space_; }
  [[nodiscard]] Arch arch(const std::string& a, const std::string& b) const {
    return parse_arch(space_, "cells/v1 edge_a=" + a + " edge_b=" + b);
  }
  /// The message without the folder.
  [[nodiscard]] std::string error() const {
    try {
      (void)load();
    } catch (const DataError& error) {
      CHECK(error.exit_code() == ExitCode::kUserInput);
      std::string text = error.what();
      const std::string folder = folder_.path().string() + "/";
      const auto at = text.find(folder);
      return at == std::string::npos ? text : text.erase(at, folder.size());
    }
    return "no error";
  }

 private:
  test::TempDir folder_;
  SearchSpace space_ = space_from(kCells);
};

TEST_CASE("a tabular space has the same archs, texts and encodings as every space",
          "[space][unit]") {
  const SearchSpace space = space_from(kCells);
  CHECK(space.family() == "tabular");
  CHECK(to_string(cardinality(space)) == "6");
  CHECK(to_string(num_genotypes(space)) == "6");
  CHECK(to_string(num_networks(space)) == "6");
  const Arch arch = parse_arch(space, "cells/v1 edge_a=conv edge_b=conv_wide");
  CHECK(arch == largest(space));
  CHECK(to_text(space, arch) == "cells/v1 edge_a=conv edge_b=conv_wide");
  CHECK(to_text(space, smallest(space)) == "cells/v1 edge_a=none edge_b=none");
  CHECK(to_json(space, arch) == R"({"edge_a": "conv", "edge_b": "conv_wide"})");
  CHECK(column_names(space, Encoding::kOneHot) ==
        std::vector<std::string>{"edge_a=none", "edge_a=conv", "edge_b=none", "edge_b=conv",
                                 "edge_b=conv_wide"});
  std::vector<double> row(5);
  encode(space, arch, Encoding::kOneHot, row);
  CHECK(row == std::vector<double>{0, 1, 0, 0, 1});
  std::set<Arch> seen;
  for (const Arch& each : enumerate(space)) {
    CHECK(parse_any_arch(space, to_text(space, each)) == each);
    CHECK(parse_any_arch(space, to_json(space, each)) == each);
    CHECK(neighbours(space, each).size() == 3);
    core::Rng rng = test::test_rng(seen.size());
    CHECK(mutate(space, each, 0.1, rng) != each);
    seen.insert(each);
  }
  CHECK(seen.size() == 6);
  CHECK(space_from(space.canonical_yaml()).fingerprint() == space.fingerprint());
}

TEST_CASE("wrong arch texts of a tabular space are explained", "[space][error]") {
  const SearchSpace space = space_from(kCells);
  const auto error = [&](const std::string& text) -> std::string {
    try {
      (void)parse_any_arch(space, text);
    } catch (const ConfigError& problem) {
      return problem.what();
    }
    return "no error";
  };
  CHECK(error("cells/v1 edge_a=pool edge_b=none") ==
        "arch 'cells/v1 edge_a=pool edge_b=none': edge_a: found 'pool', allowed: none, conv");
  CHECK(error("cells/v1 edge_b=none") ==
        "arch 'cells/v1 edge_b=none': expected 'edge_a=', found 'edge_b=none'");
  CHECK_THAT(error("cells/v1 edge_a=conv edge_b=conv k=3"), ContainsSubstring("unexpected 'k=3'"));
  CHECK_THAT(error(R"({"edge_a": "conv"})"), ContainsSubstring("edge_b: missing"));
  CHECK_THAT(error(R"({"edge_a": "conv", "edge_b": "x"})"),
             ContainsSubstring("edge_b: found 'x', allowed: none, conv, conv_wide"));
  CHECK_THAT(error(R"({"edge_a": "conv", "edge_b": "conv", "ks": []})"),
             ContainsSubstring("ks: unknown key"));
}

TEST_CASE("a tabular space has no layers, and says so", "[space][error]") {
  const SearchSpace space = space_from(kCells);
  const std::string message =
      "space cells is tabular: it has figures of its archs but no layers, so there is no network "
      "to build, count, train, profile or export";
  CHECK_THROWS_WITH(lower(space, largest(space), {3, 10}), message);
  CHECK_THROWS_WITH(slots(space, {3, 10}), message);
  CHECK_THROWS_WITH(distinct_units(space, {3, 10}), message);
  CHECK_THROWS_WITH(find_arch(space, {}), message);
  CHECK_THROWS_AS(lower(space, largest(space), {3, 10}), ConfigError);
  CHECK_THROWS_WITH(resolution_px(space, largest(space)),
                    "space cells has no sizes along the axis resolution");
}

TEST_CASE("tables are joined by arch and by index, in any order of rows", "[space][unit]") {
  const Tables tables;
  const TabularData data = tables.load();
  REQUIRE(data.metrics().size() == 3);
  CHECK(data.column("top1") == 0);
  CHECK(data.column("params") == 2);
  CHECK(data.metrics()[0].maximise);
  CHECK(data.archs().size() == 4);

  const auto none = data.find(tables.arch("none", "none"));
  REQUIRE(none);
  CHECK((*none)[0] == Approx(0.10));
  CHECK((*none)[1] == 0.5);
  CHECK((*none)[2] == 7.0);
  const auto wide = data.find(tables.arch("conv", "conv_wide"));
  REQUIRE(wide);
  CHECK((*wide)[0] == Approx(0.90));
  CHECK(std::isnan((*wide)[1]));  // latency.csv lacks it
  CHECK((*wide)[2] == 70.0);
  CHECK_FALSE(data.find(tables.arch("conv", "conv")));
  // Two archs are in no file, two lack a size and one a latency.
  CHECK(to_string(data.num_incomplete()) == "5");
}

TEST_CASE("quotes, a byte order mark, CRLF and empty lines are no obstacle", "[space][unit]") {
  const Tables tables(
      {.accuracy = "\xEF\xBB\xBF\"index\",cell,acc\r\n\r\n0,\"<none|none>\",\"1e1\"\r\n",
       .latency = "index,ms,\"a,\"\"b\"\n0,2,x",
       .size = "edge_a,edge_b,params\n"});
  const TabularData data = tables.load();
  const auto row = data.find(tables.arch("none", "none"));
  REQUIRE(row);
  CHECK((*row)[0] == Approx(0.1));
  CHECK((*row)[1] == 2.0);
}

struct Wrong {
  std::string file;
  std::string text;
  std::string message;
};

TEST_CASE("every mistake in a table is located and explained", "[space][error]") {
  const std::vector<Wrong> wrong{
      {"accuracy.csv", "index,cell,acc\n0,<none|none>,ten\n",
       "accuracy.csv:2: acc must be a finite number, found 'ten'"},
      {"accuracy.csv", "index,cell,acc\n0,<none|none>,nan\n",
       "accuracy.csv:2: acc must be a finite number, found 'nan'"},
      {"accuracy.csv", "index,cell,acc\n0,<none|none>,\n",
       "accuracy.csv:2: acc must be a finite number, found ''"},
      {"accuracy.csv", "index,cell,acc\n0,<none|none>,1\n1,<none|none>,2\n",
       "accuracy.csv:3: cells/v1 edge_a=none edge_b=none stands in line 2 already"},
      {"accuracy.csv", "index,cell,acc\n0,<pool|none>,1\n",
       "accuracy.csv:2: '<pool|none>': edge_b: found 'pool', allowed: none, conv, conv_wide"},
      {"accuracy.csv", "index,cell,acc\n0,none|none>,1\n",
       "accuracy.csv:2: 'none|none>' must begin with '<'"},
      {"accuracy.csv", "index,cell,acc\n0,<none,1\n",
       "accuracy.csv:2: '<none': no '|' after edge_b"},
      {"accuracy.csv", "index,cell,acc\n0,<none|none>>,1\n",
       "accuracy.csv:2: '<none|none>>': unexpected '>' at the end"},
      {"accuracy.csv", "index,cell,acc\n0,<none|none>,1,2\n",
       "accuracy.csv:2: found 4 cells, the header has 3"},
      {"accuracy.csv", "index,cell\n0,<none|none>\n",
       "accuracy.csv:1: there is no column 'acc' (found: index, cell)"},
      {"accuracy.csv", "index,acc,acc\n", "accuracy.csv:1: the header names a column twice"},
      {"accuracy.csv", "index,cell,acc\n0,\"<none|none>,1\n",
       "accuracy.csv:2: a quote is left open"},
      {"accuracy.csv", "", "accuracy.csv: the file is empty"},
      {"accuracy.csv", "index,cell,acc\n0,<none|none>,1\n0,<conv|none>,2\n",
       "accuracy.csv:3: index '0' stands in line 2 already"},
      {"latency.csv", "index,ms\n0,1\n0,2\n",
       "latency.csv:3: cells/v1 edge_a=none edge_b=none stands in line 2 already"},
      {"latency.csv", "index,ms\n9,1\n", "latency.csv:2: index '9' is not in accuracy.csv"},
      {"latency.csv", "index,ms\n0,inf\n",
       "latency.csv:2: ms must be a finite number, found 'inf'"},
      {"latency.csv", "id,ms\n0,1\n", "latency.csv:1: there is no column 'index' (found: id, ms)"},
      {"size.csv", "edge_a,edge_b,params\nconv,none,1\nconv,pool,2\n",
       "size.csv:3: edge_b: found 'pool', allowed: none, conv, conv_wide"},
      {"size.csv", "edge_a,edge_b,params\nconv,conv,1\n",
       "size.csv:2: cells/v1 edge_a=conv edge_b=conv is not in accuracy.csv"},
      {"size.csv", "edge_a,params\nconv,1\n",
       "size.csv:1: there is no column 'edge_b' (found: edge_a, params)"}};
  for (const Wrong& each : wrong) {
    CAPTURE(each.text);
    const Tables tables;
    tables.write(each.file, each.text);
    CHECK(tables.error() == each.message);
  }
  const Tables tables;
  tables.remove("latency.csv");
  CHECK_THAT(tables.error(), ContainsSubstring("latency.csv: "));
  CHECK_THROWS_WITH(
      Tables().load().column("latency"),
      "the tables have no metric 'latency'; did you mean 'latency_ms'? (allowed: top1, latency_ms, "
      "params)");
  CHECK_THROWS_WITH(TabularData::load(test::shipped_space("tiny"), "."),
                    "space tiny has no tables: its family is mbconv, not tabular");
}

std::string space_error(const std::string& before, const std::string& after) {
  std::string yaml = kCells;
  const auto at = yaml.find(before);
  REQUIRE(at != std::string::npos);
  try {
    (void)space_from(yaml.replace(at, before.size(), after));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST_CASE("every mistake in a tabular space file is located and explained", "[space][error]") {
  CHECK_THAT(space_error("choices: [none, conv]", "choices: [none]"),
             ContainsSubstring("space.yaml:5:29: genes.0.choices: found 1 choices, allowed are 2 "
                               "to 255"));
  CHECK_THAT(space_error("choices: [none, conv]", "choices: [none, none]"),
             ContainsSubstring("names must be distinct, found 'none' twice"));
  CHECK_THAT(space_error("choices: [none, conv]", "choices: [none, 'a b']"),
             ContainsSubstring("found 'a b', allowed are letters, digits and '_'"));
  CHECK_THAT(space_error("name: edge_b", "name: edge_a"),
             ContainsSubstring("genes: names must be distinct, found 'edge_a' twice"));
  CHECK_THAT(space_error("<{edge_b}|{edge_a}>", "<{edge_b}|{edge_c}>"),
             ContainsSubstring("'edge_c' is no gene (allowed: edge_a, edge_b)"));
  CHECK_THAT(space_error("<{edge_b}|{edge_a}>", "<{edge_b}|>"),
             ContainsSubstring("gene 'edge_a' is missing in it"));
  CHECK_THAT(space_error("<{edge_b}|{edge_a}>", "{edge_b}{edge_b}"),
             ContainsSubstring("gene 'edge_b' stands in it twice"));
  CHECK_THAT(space_error("<{edge_b}|{edge_a}>", "{edge_b"),
             ContainsSubstring("found '{' without '}'"));
  CHECK_THAT(space_error("<{edge_b}|{edge_a}>", "edge_b}"),
             ContainsSubstring("found '}' without '{'"));
  CHECK_THAT(space_error("    arch_column: cell\n", ""),
             ContainsSubstring("arch_column and arch_pattern go together"));
  CHECK_THAT(space_error("    arch_column: cell\n    arch_pattern: \"<{edge_b}|{edge_a}>\"\n",
                         "    join_on: index\n"),
             ContainsSubstring("the first file names the archs; it cannot have join_on"));
  CHECK_THAT(space_error("name: latency_ms", "name: top1"),
             ContainsSubstring("tables: names must be distinct, found 'top1' twice"));
  CHECK_THAT(space_error("name: latency_ms, column: ms, unit: ms", "name: latency_ms, column: ms"),
             ContainsSubstring("unit: missing"));
  CHECK_THAT(space_error("factor: 0.01", "factor: 0"), ContainsSubstring("factor"));
  CHECK_THAT(space_error("family: tabular", "family: tabular\nresolutions: [16]"),
             ContainsSubstring("resolutions: unknown key"));
  CHECK_THAT(space_error("family: tabular", "family: tabluar"),
             ContainsSubstring("family must be one of mbconv, bottleneck, tabular; got 'tabluar'"));
}

TEST_CASE("NAS-Bench-201 and its latencies are one space", "[space][golden]") {
  OMNIFIT_REQUIRE_DATA("accuracy/nasbench201_cifar.csv");
  OMNIFIT_REQUIRE_DATA("latency/help/nasbench201_latency_ms.csv");
  const SearchSpace space = test::shipped_space("nasbench201");
  CHECK(to_string(cardinality(space)) == "15625");
  const TabularData data = TabularData::load(space, OMNIFIT_SHARED_DATA);
  CHECK(data.archs().size() == 15'625);
  CHECK(to_string(data.num_incomplete()) == "0");
  // The benchmark's published best cells are rows 6111 and 9930.
  CHECK((*data.find(data.archs()[6111]))[0] == Approx(0.9437).margin(5e-5));
  CHECK((*data.find(data.archs()[9930]))[1] == Approx(0.7351).margin(5e-5));
  const Arch first = parse_arch(space,
                                "nasbench201/v1 edge_0_1=avg_pool_3x3 edge_0_2=nor_conv_1x1 "
                                "edge_1_2=skip_connect edge_0_3=nor_conv_1x1 edge_1_3=skip_connect "
                                "edge_2_3=skip_connect");
  CHECK(data.archs().front() == first);
  CHECK((*data.find(first))[data.column("pixel3_ms")] == Approx(3.60585));
}

TEST_CASE("NAS-Bench-Macro lacks archs, which is known", "[space][golden]") {
  OMNIFIT_REQUIRE_DATA("accuracy/nasbench_macro_cifar10.csv");
  const SearchSpace space = test::shipped_space("nasbench_macro");
  const TabularData data = TabularData::load(space, OMNIFIT_SHARED_DATA);
  CHECK(to_string(cardinality(space)) == "6561");
  CHECK(data.archs().size() == 4'000);
  CHECK(to_string(data.num_incomplete()) == "2561");
  const auto row = data.find(smallest(space));
  REQUIRE(row);
  CHECK((*row)[data.column("top1")] == Approx(0.45363332));
  CHECK((*row)[data.column("macs")] == 7'713'280.0);
}

}  // namespace
}  // namespace omnifit::space
