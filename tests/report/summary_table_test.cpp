#include "report/summary_table.hpp"
#include "report/result_rows.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

namespace omnifit {
namespace {

using Catch::Matchers::ContainsSubstring;

report::ArchInfo arch_of(std::int64_t macs) {
  report::ArchInfo arch;
  arch.text = "tiny/v1 r=16";
  arch.resolution_px = 16;
  arch.macs = macs;
  arch.params_count = macs / 10;
  return arch;
}

report::VerifiedNetwork verified(const std::string& budget, int step, const std::string& role) {
  report::VerifiedNetwork network;
  network.budget = budget;
  network.step = step;
  network.role = role;
  network.arch = arch_of(3'210'000);
  network.predicted_top1 = 0.9213;
  network.estimated_latency_ms = 1.2341;
  network.measured_top1 = 0.9187;
  network.measured_latency_ms = 1.25;
  network.bound = "latency_ms <= 1.3";
  return network;
}

report::SearchRun search(const std::string& budget, const std::string& strategy, bool found) {
  report::SearchRun run;
  run.budget = budget;
  run.strategy = strategy;
  if (found) run.results.push_back({arch_of(1'000'000), 0.9, std::nullopt});
  return run;
}

/// One row of every kind, in the order a job would give them.
report::ReportData every_kind() {
  report::ReportData data;
  data.title = "all kinds";
  for (const char* budget :
       {"latency <= 60%", "latency <= 40%", "macs <= 40%", "latency <= 1 us"}) {
    data.searches.push_back(search(budget, "evolution", std::string(budget) != "latency <= 1 us"));
    data.searches.push_back(search(budget, "random", true));
    data.searches.back().baseline = true;
  }
  data.verified = {verified("largest", 0, "largest"),
                   verified("latency <= 40%", 0, "over_budget"),
                   verified("latency <= 40%", 1, "over_budget"),
                   verified("latency <= 60%", 0, "over_budget"),
                   verified("latency <= 60%", 1, "winner"),
                   verified("smallest", 0, "smallest")};
  data.verified[5].measured_latency_ms.reset();
  data.exports = {{"latency <= 60%", "onnx", "export/a.onnx", 1234, "ab", "proven", 1.4e-6, ""},
                  {"latency <= 60%", "json", "export/a.json", 12, "cd", "not_applicable", {}, ""}};
  return data;
}

}  // namespace

TEST_CASE("the summary table says what became of every budget", "[report][golden]") {
  CHECK("\n" + report::summary_table(every_kind()) == R"(
budget           predicted top-1  measured top-1  estimated latency  measured latency    MACs  parameters  ONNX file      proof
---------------  ---------------  --------------  -----------------  ----------------  ------  ----------  -------------  ------------------------------------------------
latency <= 60%           92.13 %         91.87 %           1.234 ms          1.250 ms  3.21 M       321 k  export/a.onnx  proven, difference 1.4e-06
latency <= 40%           92.13 %         91.87 %           1.234 ms          1.250 ms  3.21 M       321 k  –              over budget: 2 candidates measured, none kept it
macs <= 40%              90.00 %               –                  –                 –  1.00 M       100 k  –              not measured yet
latency <= 1 us                –               –                  –                 –       –           –  –              the search found no subnet within it
largest                  92.13 %         91.87 %           1.234 ms          1.250 ms  3.21 M       321 k  –              for comparison
smallest                 92.13 %         91.87 %           1.234 ms                 –  3.21 M       321 k  –              for comparison
)");
}

TEST_CASE("estimates tell the known error of their device", "[report][golden]") {
  CHECK(report::estimate_text(1.2341, 0.01534) == "1.234 \u00b1 0.015 ms");
  CHECK(report::estimate_text(0.31249, 0.0093) == "0.312 \u00b1 0.0093 ms");
  CHECK(report::estimate_text(812.6, 9.96) == "812.6 \u00b1 10 ms");
  CHECK(report::estimate_text(12.5, 0.3) == "12.5 \u00b1 0.30 ms");
  CHECK(report::estimate_text(12.5, std::nullopt) == "12.5 ms");

  report::ReportData data = every_kind();
  data.searches.resize(2);
  data.searches[1].budget = "latency@phone <= 40%";
  data.searches[1].baseline = false;
  data.searches[1].bounds = {{"latency_ms@phone", 60.0}};
  data.searches[1].results[0].latency_ms = 52.0;
  data.exports.clear();
  std::erase_if(data.verified, [](const auto& network) { return network.step == 0; });
  std::erase_if(data.verified, [](const auto& network) { return network.role != "winner"; });
  data.latencies.resize(2);
  data.latencies[0].device_name = "board";
  data.latencies[0].mape = 0.0124;
  data.latencies[1].device_name = "phone";
  data.latencies[1].mape = 0.05;
  CHECK("\n" + report::summary_table(data) == R"(
budget                predicted top-1  measured top-1  estimated latency  measured latency    MACs  parameters  ONNX file  proof
--------------------  ---------------  --------------  -----------------  ----------------  ------  ----------  ---------  ----------------
latency <= 60%                92.13 %         91.87 %   1.234 ± 0.015 ms          1.250 ms  3.21 M       321 k  –          not exported yet
latency@phone <= 40%          90.00 %               –      52.0 ± 2.6 ms                 –  1.00 M       100 k  –          not measured yet
± is the mean error of the estimates on networks they were not fitted on
)");
  const auto json = nlohmann::json::parse(report::summary_json(data));
  CHECK(json.at("networks")[1].at("estimated_latency_error_ms").get<double>() == Approx(2.6));
  // A device whose model was not judged, or that the job does not profile, has none.
  data.latencies.pop_back();
  data.latencies[0].mape.reset();
  CHECK_THAT(report::summary_table(data), ContainsSubstring(" 52.0 ms ") &&
                                              ContainsSubstring(" 1.234 ms ") &&
                                              !ContainsSubstring("\u00b1"));
  CHECK(nlohmann::json::parse(report::summary_json(data))
            .at("networks")[0]
            .at("estimated_latency_error_ms")
            .is_null());
}

TEST_CASE("a summary without results says so", "[report][unit]") {
  CHECK(report::summary_table({}) ==
        "No result yet: no budget was searched and no network measured.\n");
  const auto json = nlohmann::json::parse(report::summary_json({}));
  CHECK(json.at("networks").empty());
}

TEST_CASE("the summary as JSON carries base units, nulls and every file", "[report][unit]") {
  const auto json = nlohmann::json::parse(report::summary_json(every_kind()));
  CHECK(json.at("title") == "all kinds");
  const auto& rows = json.at("networks");
  REQUIRE(rows.size() == 6);
  CHECK(rows[0].at("state") == "winner");
  CHECK(rows[0].at("budget") == "latency <= 60%");
  CHECK(rows[0].at("bound") == "latency_ms <= 1.3");
  CHECK(rows[0].at("measured_top1") == 0.9187);
  CHECK(rows[0].at("estimated_latency_ms") == 1.2341);
  CHECK(rows[0].at("macs") == 3'210'000);
  CHECK(rows[0].at("num_rejected") == 1);
  REQUIRE(rows[0].at("files").size() == 2);
  CHECK(rows[0].at("files")[0].at("max_rel_difference") == 1.4e-6);
  CHECK(rows[0].at("files")[1].at("max_rel_difference").is_null());
  CHECK(rows[1].at("state") == "missed");
  CHECK(rows[1].at("files").empty());
  CHECK(rows[2].at("state") == "pending");
  CHECK(rows[2].at("measured_latency_ms").is_null());
  CHECK(rows[3].at("state") == "nothing");
  CHECK(rows[3].at("arch").is_null());
  CHECK(rows[4].at("state") == "largest");
  CHECK(rows[5].at("state") == "smallest");
}

TEST_CASE("names that are not text harm neither the table nor the JSON", "[report][error]") {
  report::ReportData data = every_kind();
  data.title = "\xff";
  for (auto& run : data.searches) run.budget = "a\x1b[2J\n\xff";
  data.exports.clear();
  data.verified.clear();
  const std::string table = report::summary_table(data);
  CHECK(table.find('\x1b') == std::string::npos);
  CHECK_THAT(table, ContainsSubstring("a\uFFFD[2J \uFFFD"));
  CHECK(nlohmann::json::parse(report::summary_json(data)).at("title") == "\uFFFD");
}

TEST_CASE("bounds read as costs with units", "[report][unit]") {
  CHECK(report::readable_bound("latency_ms <= 1.234") == "latency \u2264 1.234 ms");
  CHECK(report::readable_bound("macs <= 3200000, peak_memory_bytes <= 64000") ==
        "MACs \u2264 3.20 M, peak memory \u2264 64.0 kB");
  CHECK(report::readable_bound("latency <= 40%") == "latency \u2264 40%");
  CHECK(report::readable_bound("energy <= 3") == "energy \u2264 3");
  CHECK(report::readable_bound("as fast as can be") == "as fast as can be");
  CHECK(report::readable_bound("") == "");
}

TEST_CASE("proofs read as sentences", "[report][unit]") {
  report::ExportedFile file;
  file.proof = "not_proven";
  file.note = "Node.js is not installed";
  CHECK(report::proof_text(file) == "not proven: Node.js is not installed");
  file.proof = "proven";
  file.note = "ONNX Runtime 1.30.0";
  file.max_rel_difference = 4.8e-7;
  CHECK(report::proof_text(file) == "proven, difference 4.8e-07 (ONNX Runtime 1.30.0)");
  file = {};
  file.proof = "not_applicable";
  CHECK(report::proof_text(file) == "not applicable");
}

}  // namespace omnifit
