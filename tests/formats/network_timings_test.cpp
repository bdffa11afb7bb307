#include "formats/network_timings.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

namespace omnifit::formats {
namespace {

using Catch::Matchers::ContainsSubstring;

class Files {
 public:
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    core::write_file_atomically(folder_ / name, text);
    return folder_ / name;
  }
  /// The message of reading a file with that text.
  std::string error(const space::SearchSpace& space, const std::string& name,
                    const std::string& text, const std::vector<std::string>& columns = {}) const {
    try {
      read_network_timings(space, write(name, text), columns);
    } catch (const DataError& e) {
      return e.what();
    }
    return "";
  }

 private:
  test::TempDir folder_;
};

}  // namespace

TEST_CASE("Released whole-network timings are read", "[formats][golden]") {
  OMNIFIT_REQUIRE_DATA("latency");
  const std::filesystem::path folder = std::filesystem::path(OMNIFIT_SHARED_DATA) / "latency/help";
  const auto ofa = test::shipped_space("ofa_mbv3");
  const NetworkTimings timings =
      read_network_timings(ofa, folder / "ofa_latency_ms.csv", {"titan_xp_64", "2080ti_1"});
  REQUIRE(timings.archs.size() == 5000);
  CHECK(timings.columns[0].name == "titan_xp_64");
  CHECK(timings.columns[0].ms[0] == 55.50851345062256);
  CHECK(timings.columns[1].ms[0] == 12.081937789916992);
  CHECK(space::resolution_px(ofa, timings.archs[0]) == 204);

  const auto cells = test::shipped_space("nasbench201");
  const NetworkTimings bench =
      read_network_timings(cells, folder / "nasbench201_latency_ms.csv", {"pixel3"});
  REQUIRE(bench.archs.size() == 15625);
  CHECK(space::to_text(cells, bench.archs[0]) ==
        "nasbench201/v1 edge_0_1=avg_pool_3x3 edge_0_2=nor_conv_1x1 edge_1_2=skip_connect "
        "edge_0_3=nor_conv_1x1 edge_1_3=skip_connect edge_2_3=skip_connect");
}

TEST_CASE("CSV and JSON name archs in every way", "[formats][unit]") {
  const Files files;
  const auto space = test::shipped_space("tiny");
  const std::string small = space::to_text(space, space::smallest(space));
  const std::string large = space::to_text(space, space::largest(space));
  std::string quoted = space::to_json(space, space::largest(space));
  for (std::size_t at = 0; (at = quoted.find('"', at)) != std::string::npos; at += 2) {
    quoted.insert(at, 1, '"');
  }
  const auto csv = read_network_timings(
      space, files.write("t.csv", fmt::format("arch,note,latency\n\"{}\",x,1.5\n\"{}\",y,2\n",
                                              small, quoted)));
  CHECK((csv.archs == std::vector<space::Arch>{space::smallest(space), space::largest(space)}));
  CHECK((csv.columns[0].ms == std::vector<double>{1.5, 2.0}));

  const auto json = read_network_timings(
      space,
      files.write("t.json", fmt::format(R"({{"rows": [{{"arch": "{}", "latency_ms": 3}},
                                                {{"arch": {}, "latency_ms": 4.5}}]}})",
                                        small, space::to_json(space, space::largest(space)))));
  CHECK((json.archs == csv.archs));
  CHECK((json.columns[0].ms == std::vector<double>{3.0, 4.5}));

  const auto ofa = test::shipped_space("ofa_mbv3");
  const std::string fields = R"("ks": [3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3],
      "e": [3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3], "d": [2,2,2,2,2])";
  const auto reference = read_network_timings(
      ofa, files.write("r.json", "[{" + fields + R"(, "image_size": 128, "ms": 9}])"), {"ms"});
  CHECK((reference.archs.front() == space::smallest(ofa)));
}

TEST_CASE("Every wrong row of timings is named", "[formats][error]") {
  const Files files;
  const auto space = test::shipped_space("tiny");
  const std::string small = "\"" + space::to_text(space, space::smallest(space)) + "\"";
  const auto csv = [&](const std::string& text, const std::vector<std::string>& columns = {}) {
    return files.error(space, "t.csv", text, columns);
  };
  CHECK_THAT(csv("arch,latency\n" + small + ",-1\n"),
             ContainsSubstring("t.csv:2: latency must be a positive number of milliseconds, "
                               "found -1"));
  CHECK_THAT(csv("arch,latency\n" + small + ",fast\n"), ContainsSubstring("t.csv:2: "));
  CHECK_THAT(csv("arch,latency\n" + small + ",1\n" + small + ",2\n"),
             ContainsSubstring("t.csv:3: this arch stands in line 2 too"));
  CHECK_THAT(csv("arch,latency\nnonsense,1\n"), ContainsSubstring("t.csv:2: "));
  CHECK_THAT(csv("arch,ms\n" + small + ",1\n"),
             ContainsSubstring("t.csv: no column 'latency_ms' or 'latency'; say which column to "
                               "read (there: arch, ms)"));
  CHECK_THAT(csv("arch,ms\n" + small + ",1\n", {"us"}),
             ContainsSubstring("t.csv: no column 'us' (there: arch, ms)"));
  CHECK_THAT(csv("name,latency\na,1\n"),
             ContainsSubstring("t.csv: no column names the archs: 'arch', or 'ks', 'e', 'd' and "
                               "'image_size' (there: name, latency)"));
  CHECK_THAT(csv("ks,latency\n3 x,1\n"), ContainsSubstring("t.csv:2: ks: 'x' is no number"));
  CHECK_THAT(csv("arch,latency\n"), ContainsSubstring("t.csv: has no rows"));

  const auto json = [&](const std::string& text) { return files.error(space, "t.json", text); };
  CHECK_THAT(json("{"), ContainsSubstring("t.json: must be a list of objects"));
  CHECK_THAT(json("[1]"), ContainsSubstring("t.json: must be a list of objects"));
  CHECK_THAT(json("[]"), ContainsSubstring("t.json: has no rows"));
  CHECK_THAT(json("[{\"arch\": " + small + ", \"latency\": 0}]"),
             ContainsSubstring("t.json: row 1: latency must be a positive number"));
  CHECK_THAT(json("[{\"arch\": " + small + ", \"latency\": \"1\"}]"),
             ContainsSubstring("t.json: row 1: latency is no number"));
  CHECK_THAT(json("[{\"latency\": 1}]"),
             ContainsSubstring("t.json: row 1: nothing names the arch"));
  CHECK_THAT(json("[{\"arch\": " + small + ", \"latency\": 1}, 5]"),
             ContainsSubstring("t.json: row 2: must be an object"));
  CHECK_THAT(json("[{\"arch\": " + small + ", \"latency\": 1}, {\"arch\": " + small +
                  ", \"latency\": 1}]"),
             ContainsSubstring("t.json: row 2: this arch stands in row 1 too"));
  // Another space's archs.
  CHECK_THAT(
      files.error(test::shipped_space("mbv3_32px"), "t.csv", "arch,latency\n" + small + ",1\n"),
      ContainsSubstring("t.csv:2: "));
}

}  // namespace omnifit::formats
