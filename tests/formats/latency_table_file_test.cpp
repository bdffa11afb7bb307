#include "formats/latency_table_file.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "tests/support/catch.hpp"

#include <filesystem>

namespace omnifit::formats {
namespace {

using Catch::Matchers::ContainsSubstring;

const std::filesystem::path kData = OMNIFIT_SHARED_DATA;

std::vector<std::filesystem::path> released_tables() {
  std::vector<std::filesystem::path> files{kData / "ofa_released/proxyless_mobile_trim.yaml",
                                           kData / "latency/lut/i7-8700K_lut.yaml"};
  for (const char* resolution : {"160", "176", "192", "208", "224"}) {
    files.push_back(kData / "ofa_released/note10" /
                    (std::string(resolution) + "_lookup_table.yaml"));
  }
  return files;
}

TEST_CASE("Released tables come out as they went in", "[formats][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released");
  OMNIFIT_REQUIRE_DATA("latency");
  for (const auto& file : released_tables()) {
    CAPTURE(file.filename().string());
    const ForeignLatencyTable table = read_latency_table(file);
    CHECK(table.name == file.filename().string());
    CHECK((latency_table_text(table) == core::read_text_file(file)));
  }
  CHECK(read_latency_table(kData / "latency/lut/i7-8700K_lut.yaml").entries.size() == 4050);
}

TEST_CASE("A table keeps the text of its numbers", "[formats][unit]") {
  const ForeignLatencyTable table = parse_latency_table(
      "conv-a:\n  count: 10\n  mean: 1.50\n  std: 1e-07\nconv-b:\n  mean: 2\n  var: 0.0\n",
      "t.yaml");
  REQUIRE(table.entries.size() == 2);
  CHECK(table.entries[0].mean_ms == 1.5);
  CHECK((table.entries[0].fields ==
         std::vector<ForeignLatency::Field>{{"count", "10"}, {"mean", "1.50"}, {"std", "1e-07"}}));
  CHECK(table.entries[1].line == 5);
  CHECK(table.find("conv-b")->mean_ms == 2.0);
  CHECK(table.find("conv-c") == nullptr);
}

TEST_CASE("Every wrong entry of a table is named", "[formats][error]") {
  const auto error = [](const std::string& text) {
    try {
      parse_latency_table(text, "t.yaml");
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(error("a:\n  mean: -1.5\n") ==
        "t.yaml:2:9: a: mean must be a positive finite number of milliseconds, found '-1.5'");
  for (const char* bad :
       {"0", "nan", ".nan", "inf", "1.5 ms", "'1.5'", "[1]", "{}", "~", "1e999"}) {
    CAPTURE(bad);
    CHECK_THAT(error(fmt::format("a:\n  mean: {}\n", bad)),
               ContainsSubstring("t.yaml:2:") &&
                   ContainsSubstring("a: mean must be a positive finite number of milliseconds"));
  }
  CHECK_THAT(
      error("a:\n  mean: 1\n  count: 0\nb:\n  mean: 1\n  count: 2.5\nc:\n  mean: 1\n  std: -1"),
      ContainsSubstring("t.yaml:3:10: a: count must be a positive integer, found '0'") &&
          ContainsSubstring("t.yaml:6:10: b: count must be a positive integer") &&
          ContainsSubstring("t.yaml:9:8: c: std must be a finite number, not negative"));
  CHECK_THAT(error("a:\n  mean: 1\na:\n  mean: 2\n"),
             ContainsSubstring("t.yaml:3:1: duplicate key 'a', first written in line 1"));
  CHECK(error("a:\n  std: 1\n") == "t.yaml:1:1: a: has no mean");
  CHECK(error("a: 1.5\n") == "t.yaml:1:1: a: must be a map with a mean, found '1.5'");
  CHECK(error("a:\n  mean: 1\n  median: 1\n") ==
        "t.yaml:3:3: a: unknown field 'median' (allowed: count, mean, std, var)");
  CHECK_THAT(error("- 1\n"), ContainsSubstring("t.yaml: a latency table is a YAML map of operator "
                                               "key to count, mean, std; found a list"));
  CHECK_THAT(error("{}"), ContainsSubstring("found an empty map"));
  CHECK_THAT(error(""), ContainsSubstring("found nothing"));
  CHECK_THROWS_AS(read_latency_table("/no/such/table.yaml"), DataError);
}

}  // namespace
}  // namespace omnifit::formats
