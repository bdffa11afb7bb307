#include "core/file_io.hpp"
#include "tests/cli/omnifit_command.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tiny_job.hpp"

#include <nlohmann/json.hpp>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;
using test::omnifit_command;
using test::Result;

namespace {

/// A runner that says how long 100 bytes of a model take.
constexpr const char* kRunner = R"sh(#!/bin/sh
echo '{"device": {"chip": "paper tape"}}'
for model in "$@"; do
  size=$(wc -c < "$model")
  echo "{\"id\": \"$(basename "$model" .onnx)\", \"run_ms\": [$size, $size, $size]}"
done
)sh";

/// Writes a job that only profiles, on the device of those lines of YAML.
std::string write_profile_job(const test::TempDir& folder, const std::string& name,
                              const std::string& device) {
  return test::write_tiny_job(folder / name, "project: p.db\nspace: tiny\n" + device +
                                                 "profile: {min_samples: 5, max_samples: 20, "
                                                 "correction_networks: 4, check_networks: 5}\n")
      .string();
}

}  // namespace

TEST_CASE("any device from a job without data: profile, add, compare, merge", "[cli][unit]") {
  const test::TempDir folder;
  core::write_file_atomically(folder / "runner.sh", std::string_view(kRunner));
  const std::string runner = (folder / "runner.sh").string();
  const std::string tape =
      "device: {name: tape, runtime: command, command: [sh, " + runner + ", \"{models}\"]}\n";
  const std::string at_home = write_profile_job(folder, "home", "device: {name: paper}\n");
  const std::string elsewhere = write_profile_job(folder, "elsewhere", tape);
  REQUIRE(omnifit_command(folder, {"profile", at_home}).code == 0);
  // The real program: the runner is called.
  const Result profiled = omnifit_command(folder, {"profile", elsewhere}, "omnifit");
  INFO(profiled.err);
  REQUIRE(profiled.code == 0);
  CHECK_THAT(profiled.err, ContainsSubstring("unseen whole networks: mean error"));

  const std::string project = (folder / "home/p.db").string();
  const std::string other = (folder / "elsewhere/p.db").string();
  const Result merged = omnifit_command(folder, {"db", "merge", project, other});
  INFO(merged.err);
  CHECK(merged.code == 0);
  CHECK_THAT(merged.out, ContainsSubstring("layer_latency") && ContainsSubstring("latency_model"));
  CHECK_THAT(omnifit_command(folder, {"device", "show", project, "tape"}).out,
             ContainsSubstring("paper tape") && ContainsSubstring("x sum"));
  CHECK(omnifit_command(folder, {"db", "merge", project, project}).code == 2);
  CHECK(omnifit_command(folder, {"db", "merge", project, "/nonexistent.db"}).code == 2);

  const Result compared = omnifit_command(folder, {"device", "compare", project, "paper", "tape"});
  CHECK(compared.code == 0);
  CHECK_THAT(compared.out, ContainsSubstring("units in common: tape takes") &&
                               ContainsSubstring("9 networks in common") &&
                               ContainsSubstring("Spearman"));
  const auto json = nlohmann::json::parse(
      omnifit_command(folder, {"device", "compare", project, "paper", "tape", "--json"}).out);
  CHECK(json["networks"]["common"] == 9);
  CHECK(json["units"]["median_ratio"].get<double>() > 1.0);
  CHECK_THAT(omnifit_command(folder, {"device", "compare", project, "paper", "x"}).err,
             ContainsSubstring("no device 'x' (there: paper "));

  // The profile that was made elsewhere is this job's as well: the device need not be here.
  std::filesystem::remove(runner);
  const Result again =
      omnifit_command(folder, {"profile", elsewhere, "--project", project}, "omnifit");
  CHECK(again.code == 0);
  CHECK_THAT(again.out, ContainsSubstring("up to date"));
}

TEST_CASE("a device is asked who it is before it is noted", "[cli][error]") {
  const test::TempDir folder;
  core::write_file_atomically(folder / "runner.sh", std::string_view(kRunner));
  const std::string project = (folder / "p.db").string();
  const std::string device = (folder / "tape.yaml").string();
  const auto write = [&](const std::string& program) {
    core::write_file_atomically(
        device, "name: tape\nruntime: command\ncommand: [sh, " + program + ", \"{models}\"]\n");
  };
  write((folder / "runner.sh").string());
  const auto add = [&] {
    return omnifit_command(folder, {"device", "add", project, device}, "omnifit");
  };
  const Result added = add();
  CHECK(added.code == 0);
  CHECK_THAT(added.out, ContainsSubstring("added tape: ") && ContainsSubstring("paper tape"));
  CHECK_THAT(add().out, ContainsSubstring("there already: tape"));

  write("/nonexistent.sh");
  const Result broken = add();
  CHECK(broken.code == 4);
  CHECK_THAT(broken.err, ContainsSubstring("device 'tape' does not answer: the runner ended with"));
  core::write_file_atomically(device, std::string_view("name: tape\nruntime: comand\n"));
  const Result typo = add();
  CHECK(typo.code == 2);
  CHECK_THAT(typo.err, ContainsSubstring("tape.yaml:2:") && ContainsSubstring("did you mean"));
}

TEST_CASE("part of a profile: the other units are estimated, and measured when asked for later",
          "[cli][unit]") {
  const test::TempDir folder;
  const std::string job = write_profile_job(folder, "home", "device: {name: paper}\n");
  const std::string project = (folder / "home/p.db").string();
  const auto count = [&](const std::string& table) {
    return omnifit_command(folder, {"db", "query", project, "SELECT count(*) FROM " + table}).out;
  };
  const Result part = omnifit_command(folder, {"profile", job, "--set", "profile.share=0.5"});
  INFO(part.err);
  REQUIRE(part.code == 0);
  CHECK_THAT(part.err, ContainsSubstring("of them estimated from the others); estimates against"));
  CHECK_THAT(omnifit_command(folder, {"device", "show", project, "paper"}).out,
             ContainsSubstring("units estimated") && ContainsSubstring(", \u00b1 "));
  const std::string measured = count("layer_latency");
  CHECK(omnifit_command(folder, {"profile", job, "--set", "profile.share=0.5"})
            .out.find("up to date") != std::string::npos);
  const Result whole = omnifit_command(folder, {"profile", job});
  REQUIRE(whole.code == 0);
  CHECK_THAT(whole.err, !ContainsSubstring("estimated from the others"));
  CHECK(count("layer_latency") != measured);
  const Result wrong = omnifit_command(folder, {"profile", job, "--set", "profile.share=1.5"});
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.err, ContainsSubstring("share"));
}
