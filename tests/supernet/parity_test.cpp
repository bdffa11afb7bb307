#include "tests/supernet/ofa_parity.hpp"

#include "supernet/thread_policy.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <fstream>

using namespace omnifit;

TEST_CASE("The supernets compute what the reference implementation computes",
          "[supernet][parity]") {
  // The smallest and another; omnifit_parity runs every case, as a test of its own.
  constexpr std::size_t kCases = 2;
  const std::string name =
      GENERATE(std::string("ofa_mbv3"), std::string("ofa_proxyless"), std::string("ofa_resnet50"));
  OMNIFIT_REQUIRE_DATA("ofa_parity/ofa_mbv3.json");
  const supernet::ThreadPolicy policy(1);
  test::ParityFile file(std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_parity" /
                        (name + ".json"));
  CAPTURE(name);
  CHECK(file.tensor_problem() == "");
  int cases = 0;
  file.run(
      [&](const test::ParityCase& result) {
        CAPTURE(result.name, result.problem);
        CHECK(result.problem == "");
        for (const test::ParityCheck& check : result.checks) {
          CAPTURE(check.what);
          CHECK(check.difference <= check.tolerance);
        }
        ++cases;
      },
      kCases);
  CHECK(cases == 3 * kCases);
}

TEST_CASE("The shipped spaces normalise as the recorded networks do", "[supernet][parity]") {
  OMNIFIT_REQUIRE_DATA("ofa_parity/ofa_mbv3.json");
  for (const char* name : {"ofa_mbv3", "ofa_proxyless", "ofa_resnet50"}) {
    const auto json = nlohmann::json::parse(core::read_text_file(
        std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_parity" / (std::string(name) + ".json")));
    const auto space = space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) /
                                                "configs/space" / (std::string(name) + ".yaml"));
    for (const auto& recorded : json["cases"]) {
      if (!recorded.contains("net_config")) continue;
      const auto& norm = recorded["net_config"]["bn"];
      CHECK(space.batch_norm().eps == norm["eps"].get<double>());
      CHECK(space.batch_norm().momentum == norm["momentum"].get<double>());
    }
    const auto widths = json["width_mult"].is_array()
                            ? json["width_mult"].get<std::vector<double>>()
                            : std::vector<double>{json["width_mult"].get<double>()};
    CHECK((space.width_mults() == widths));
  }
}

TEST_CASE("A parity file that differs is told from one that does not", "[supernet][error]") {
  OMNIFIT_REQUIRE_DATA("ofa_parity/ofa_mbv3.json");
  const supernet::ThreadPolicy policy(1);
  auto json = nlohmann::json::parse(core::read_text_file(
      std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_parity/ofa_mbv3.json"));
  json["cases"].erase(json["cases"].begin(), json["cases"].begin() + 2);
  json.erase("channel_sorted");
  json["cases"][0]["logits_eval"][3] = json["cases"][0]["logits_eval"][3].get<double>() + 1.0;
  json["cases"][0]["macs"] = json["cases"][0]["macs"].get<std::int64_t>() + 1;
  json["tensors"][4]["shape"] = {17};
  const test::TempDir folder;
  std::ofstream(folder / "changed.json") << json;
  test::ParityFile file(folder / "changed.json");
  CHECK(file.tensor_problem() ==
        "tensor 4: found first_conv.bn.running_var [16], expected first_conv.bn.running_var [17]");
  file.run(
      [](const test::ParityCase& result) {
        CHECK_FALSE(result.passed());
        CHECK(result.problem == "macs: found 85844864, expected 85844865");
        CHECK_FALSE(result.checks.at(0).passed());
        CHECK(result.checks.at(1).passed());
      },
      1);
}
