#include "core/file_io.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "space/search_space.hpp"
#include "tests/cli/omnifit_command.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using test::omnifit_command;
using test::Result;

namespace {

const space::TaskIo kIo{3, 1000};

std::filesystem::path note10_folder() {
  return std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_released/note10";
}

void check_refused(const Result& result, const std::string& message) {
  CHECK(result.code == 2);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, StartsWith("omnifit: ") && ContainsSubstring(message));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
}

/// A CSV file of networks of mbv3_32px on a made device.
std::string timings_csv(std::size_t count, double per_mac, double per_unit) {
  const auto space = space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) /
                                              "configs/space/mbv3_32px.yaml");
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest);
  std::set<space::Arch> seen;
  std::string csv = "arch,latency_ms\n";
  while (seen.size() < count) {
    const space::Arch arch = space::sample_spread(space, rng);
    if (!seen.insert(arch).second) continue;
    const auto plan = space::lower(space, arch, kIo);
    csv += fmt::format("\"{}\",{}\n", space::to_text(space, arch),
                       per_mac * static_cast<double>(space::macs(plan)) +
                           per_unit * static_cast<double>(plan.units.size()));
  }
  return csv;
}

}  // namespace

TEST_CASE("device import, export, propose and transfer have help", "[cli][unit]") {
  const test::TempDir folder;
  for (const char* name : {"import", "export", "propose", "transfer"}) {
    const Result help = omnifit_command(folder, {"device", name, "--help"});
    CHECK(help.code == 0);
    CHECK_THAT(help.out, ContainsSubstring("--project"));
  }
}

TEST_CASE("released tables go through a project file unchanged", "[cli][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released");
  const test::TempDir folder;
  std::vector<std::string> command{
      "device", "import",         "--space",   "ofa_mbv3",
      "--set",  "width_mult=1.2", "--project", (folder / "p.db").string(),
      "--name", "note10",         "--json"};
  const std::vector<std::string> names{"160", "176", "192", "208", "224"};
  for (const auto& px : names) {
    command.push_back((note10_folder() / (px + "_lookup_table.yaml")).string());
  }
  const Result result = omnifit_command(folder, command);
  INFO(result.err);
  REQUIRE(result.code == 0);
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json["dialect"] == "once_for_all");
  CHECK(json["keys"] == 480);
  CHECK(json["unknown_keys"].empty());
  CHECK((json["resolutions_px"] == nlohmann::json{160, 176, 192, 208, 224}));
  const std::vector<std::string> export_command{"device",
                                                "export",
                                                "note10",
                                                "--project",
                                                (folder / "p.db").string(),
                                                "--output",
                                                (folder / "out").string()};
  std::filesystem::create_directory(folder / "out");
  REQUIRE(omnifit_command(folder, export_command).code == 0);
  for (const auto& px : names) {
    const std::string name = px + "_lookup_table.yaml";
    CHECK((core::read_text_file(folder / "out" / name) ==
           core::read_text_file(note10_folder() / name)));
  }
  check_refused(omnifit_command(folder, export_command), "exists already; choose another --output");
  check_refused(
      omnifit_command(folder, {"device", "export", "pixel", "--project", (folder / "p.db").string(),
                               "--output", (folder / "out").string()}),
      "p.db: no imported device 'pixel' with latency tables");
  CHECK_THAT(omnifit_command(folder, {"device", "list", (folder / "p.db").string()}).out,
             ContainsSubstring("note10"));
}

TEST_CASE("bad tables are refused before anything is stored", "[cli][error]") {
  const test::TempDir folder;
  const auto import = [&](const std::string& text) {
    core::write_file_atomically(folder / "t.yaml", text);
    return omnifit_command(folder,
                           {"device", "import", (folder / "t.yaml").string(), "--space", "ofa_mbv3",
                            "--project", (folder / "p.db").string(), "--name", "x"});
  };
  check_refused(import("a:\n  mean: -1\n"), "t.yaml:2:9: a: mean must be a positive finite number");
  check_refused(import("a:\n  mean: 1\n"),
                "t.yaml: none of its 1 keys is a unit of space 'ofa_mbv3' (width 1)");
  CHECK_FALSE(std::filesystem::exists(folder / "p.db"));
  check_refused(
      omnifit_command(folder, {"device", "import", (folder / "t.yaml").string(), "u.csv", "--space",
                               "ofa_mbv3", "--project", (folder / "p.db").string(), "--name", "x"}),
      "are imported apart");
}

TEST_CASE("a new device is learnt from imported ones", "[cli][unit]") {
  const test::TempDir folder;
  const auto import = [&](const std::string& name, double per_mac, double per_unit) {
    core::write_file_atomically(folder / (name + ".csv"), timings_csv(80, per_mac, per_unit));
    return omnifit_command(
        folder, {"device", "import", (folder / (name + ".csv")).string(), "--space", "mbv3_32px",
                 "--project", (folder / "p.db").string(), "--name", name, "--json"});
  };
  const std::vector<std::string> propose{"device",    "propose",
                                         "--space",   "mbv3_32px",
                                         "--project", (folder / "p.db").string(),
                                         "--count",   "12",
                                         "--output",  (folder / "todo.csv").string()};
  const Result first = import("cpu", 1e-6, 0.02);
  INFO(first.err);
  REQUIRE(first.code == 0);
  CHECK(nlohmann::json::parse(first.out)[0]["check"]["r2"].get<double>() > 0.9);
  check_refused(omnifit_command(folder, propose), "the project has 1; import theirs first");
  REQUIRE(import("gpu", 1e-7, 0.3).code == 0);
  const Result proposed = omnifit_command(folder, propose);
  INFO(proposed.err);
  REQUIRE(proposed.code == 0);
  std::string csv = core::read_text_file(folder / "todo.csv");
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 13);

  const std::vector<std::string> transfer{
      "device",    "transfer",  (folder / "todo.csv").string(), "--space",
      "mbv3_32px", "--project", (folder / "p.db").string(),     "--name",
      "npu",       "--json"};
  check_refused(omnifit_command(folder, transfer), "todo.csv:2: ");
  const auto space = space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) /
                                              "configs/space/mbv3_32px.yaml");
  std::string filled;
  for (std::size_t begin = 0; begin < csv.size();) {
    const std::size_t end = csv.find('\n', begin);
    std::string line = csv.substr(begin, end - begin);
    if (line.starts_with('"')) {
      const space::Arch arch = space::parse_arch(space, line.substr(1, line.find('"', 1) - 1));
      const auto plan = space::lower(space, arch, kIo);
      line += fmt::format("{}", 5e-7 * static_cast<double>(space::macs(plan)) +
                                    0.1 * static_cast<double>(plan.units.size()));
    }
    filled += line + "\n";
    begin = end + 1;
  }
  core::write_file_atomically(folder / "todo.csv", filled);
  const Result learnt = omnifit_command(folder, transfer);
  INFO(learnt.err);
  REQUIRE(learnt.code == 0);
  const auto json = nlohmann::json::parse(learnt.out);
  CHECK(json["measured"] == 12);
  CHECK((json["known_devices"] == nlohmann::json{"cpu", "gpu"}));
  CHECK(json["check"]["mape"].get<double>() < 0.5);
}
