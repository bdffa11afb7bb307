#include "core/file_io.hpp"
#include "tests/cli/omnifit_command.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

// A job without supernet and images: a released predictor and imported tables.

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;
using test::omnifit_command;
using test::Result;

namespace {

std::filesystem::path released(const std::string& name) {
  return std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_released" / name;
}

/// ofa_mbv3 as its predictor and tables were made for: width 1.2, five resolutions.
std::string released_space() {
  std::string text = core::read_text_file(
      std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space/ofa_mbv3.yaml", 1 << 20);
  const auto set = [&](const std::string& key, const std::string& value) {
    const std::size_t at = text.find("\n" + key + ":") + 1;
    text.replace(at, text.find('\n', at) - at, key + ": " + value);
  };
  set("resolutions", "[160, 176, 192, 208, 224]");
  set("width_mult", "1.2");
  return text;
}

std::string job(const std::string& budgets) {
  return "project: p.db\nstages: [fit, search, report]\ntask: {in_channels: 3, num_classes: 1000}\n"
         "space: ./space.yaml\ndevice: {name: note10}\nfit: {predictor: \"" +
         released("acc_predictor.pth").string() +
         "\"}\nsearch:\n  refinements: 0\n  evolution: {max_evaluations: 2000}\n" + budgets;
}

}  // namespace

TEST_CASE("a job without a training searches with what was released", "[cli][property]") {
  OMNIFIT_REQUIRE_DATA("ofa_released");
  const test::TempDir folder;
  const std::string file = (folder / "job.yaml").string();
  core::write_file_atomically(folder / "space.yaml", released_space());
  core::write_file_atomically(
      folder / "job.yaml",
      job("  budgets: [{latency: 20 ms}]\n  fleet: {devices: [note10], latency: [50%]}\n"));

  const Result before = omnifit_command(folder, {"run", file});
  CHECK(before.code == 2);
  CHECK_THAT(before.err, ContainsSubstring("add profile to 'stages', or import a table"));

  std::vector<std::string> import{"device", "import"};
  for (const int resolution : {160, 176, 192, 208, 224}) {
    import.push_back(released(fmt::format("note10/{}_lookup_table.yaml", resolution)).string());
  }
  for (const std::string& argument :
       {std::string("--space"), (folder / "space.yaml").string(), std::string("--project"),
        (folder / "p.db").string(), std::string("--name"), std::string("note10")}) {
    import.push_back(argument);
  }
  const Result imported = omnifit_command(folder, import);
  INFO(imported.err);
  REQUIRE(imported.code == 0);

  const Result run = omnifit_command(folder, {"run", file, "--json"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  const auto networks = nlohmann::json::parse(run.out).at("networks");
  REQUIRE(networks.size() == 2);
  CHECK(networks[0].at("budget") == "latency <= 20 ms");
  CHECK(networks[0].at("estimated_latency_ms") <= 20.0);
  CHECK(networks[0].at("predicted_top1") > 0.79);
  CHECK(networks[1].at("budget") == "latency@note10 <= 50%");
  CHECK(networks[1].at("estimated_latency_ms") > 20.0);
  CHECK(networks[1].at("measured_top1").is_null());
  CHECK_THAT(core::read_text_file(folder / "report.html"), ContainsSubstring("not measured yet"));

  const Result again = omnifit_command(folder, {"run", file});
  CHECK(again.code == 0);
  CHECK_THAT(again.out, ContainsSubstring("up to date"));

  core::write_file_atomically(folder / "job.yaml", job("  budgets: [{latency: 3 ms}]\n"));
  const Result impossible = omnifit_command(folder, {"run", file});
  CHECK(impossible.code == 3);
  CHECK_THAT(impossible.err, ContainsSubstring("latency <= 3.000 ms cannot be met"));

  core::write_file_atomically(folder / "job.yaml",
                              job("  budgets: [{bounds: ['latency@not10 <= 20 ms']}]\n"));
  const Result unknown = omnifit_command(folder, {"run", file});
  CHECK(unknown.code == 2);
  CHECK_THAT(unknown.err, ContainsSubstring("did you mean 'note10'?"));

  core::write_file_atomically(folder / "job.yaml", "fit: {predictor: none.pth}\n");
  const Result no_file = omnifit_command(folder, {"run", file, "--set", "search.refinements=0"});
  CHECK(no_file.code == 2);
  CHECK_THAT(no_file.err, ContainsSubstring("fit.predictor: there is no file"));
}
