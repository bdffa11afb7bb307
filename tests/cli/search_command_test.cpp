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
}

TEST_CASE("a job whose figures or images are not there leaves nothing behind", "[cli][error]") {
  const test::TempDir folder;
  const auto refused = [&](const std::string& job, const std::string& assignment,
                           const std::string& message) {
    const auto file = std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs" / job;
    const Result result = omnifit_command(folder, {"run", file.string(), "--set", assignment,
                                                   "--project", (folder / "p/p.db").string()});
    CHECK(result.code == 2);
    CHECK_THAT(result.err, ContainsSubstring(message));
    CHECK_FALSE(std::filesystem::exists(folder / "p"));
  };
  refused("nasbench201.yaml", "tables.top1=cifar10_top2",
          "tables.top1: the tables have no metric 'cifar10_top2'; did you mean 'cifar10_top1'?");
  refused("nasbench201.yaml", "device.name=watch",
          "search: the tables have no metric 'watch_ms' (allowed: ");
  refused("nasbench201.yaml", "tables.root=/nowhere", "tables.root: there is no folder /nowhere");
  refused("fashion_mnist.yaml", "data.root=/nowhere", "/nowhere: no such folder");
}
