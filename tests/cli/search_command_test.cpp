#include "tests/cli/omnifit_command.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;
using test::omnifit_command;
using test::Result;

TEST_CASE("looking at every subnet of a large space is refused before anything runs",
          "[cli][error]") {
  const test::TempDir folder;
  const std::string job =
      (std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/quickstart.yaml").string();
  const std::string project = (folder / "p/p.db").string();
  for (const char* command : {"run", "search"}) {
    const Result refused =
        omnifit_command(folder, {command, job, "--exhaustive", "--project", project});
    CHECK(refused.code == 2);
    CHECK_THAT(refused.err, ContainsSubstring("space mbv3_32px has ") &&
                                ContainsSubstring("more than the 2000000 of "
                                                  "search.exhaustive.max_archs"));
  }
  CHECK_FALSE(std::filesystem::exists(folder / "p"));
}

TEST_CASE("a published benchmark is searched by its shipped job", "[cli][property]") {
  OMNIFIT_REQUIRE_DATA("accuracy");
  const test::TempDir folder;
  const std::string job =
      (std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/nasbench201.yaml").string();
  const Result run = omnifit_command(
      folder,
      {"run", job, "--set", std::string("tables.root=") + OMNIFIT_SHARED_DATA, "--set",
       "search.active.max_evaluations=60", "--project", (folder / "p.db").string(), "--json"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  const auto result = nlohmann::json::parse(run.out);
  REQUIRE(result.at("networks").size() == 3);
  for (const auto& truth : result.at("exhaustive")) {
    CHECK(truth.at("gap") >= 0.0);
    CHECK(truth.at("gap") < 0.05);
    CHECK(truth.at("front_share") > 0.8);
    CHECK(truth.at("front_share") <= 1.0);
  }
  CHECK(std::filesystem::exists(folder / "report.html"));

  const Result nowhere = omnifit_command(folder, {"run", job, "--set", "tables.root=/nowhere",
                                                  "--project", (folder / "q.db").string()});
  CHECK(nowhere.code == 2);
  CHECK_THAT(nowhere.err, ContainsSubstring("tables.root: there is no folder /nowhere"));
}
