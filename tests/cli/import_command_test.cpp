#include "core/file_io.hpp"
#include "formats/network_file.hpp"
#include "space/search_space.hpp"
#include "supernet/supernet.hpp"
#include "supernet/trainer.hpp"
#include "tests/cli/omnifit_command.hpp"
#include "tests/formats/torch_file_builder.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using test::omnifit_command;
using test::Result;

namespace {

space::SearchSpace tiny() {
  return space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) /
                                  "configs/space/tiny.yaml");
}

void check_refused(const Result& result, const std::string& message) {
  CHECK(result.code == 2);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, StartsWith("omnifit: ") && ContainsSubstring(message));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
}

}  // namespace

TEST_CASE("import has help with examples", "[cli][unit]") {
  const test::TempDir folder;
  for (const char* kind : {"checkpoint", "network"}) {
    const Result help = omnifit_command(folder, {"import", kind, "--help"});
    CHECK(help.code == 0);
    CHECK_THAT(help.out, ContainsSubstring(std::string("omnifit import ") + kind));
  }
}

TEST_CASE("a reference checkpoint becomes one of ours", "[cli][unit]") {
  const test::TempDir folder;
  const space::SearchSpace space = tiny();
  const supernet::Supernet network(space, {1, 5}, 9);
  const auto file = folder / "theirs.pth";
  core::write_file_atomically(
      file, test::legacy_state_dict(network.export_state(),
                                    [](const std::string& name) { return "module." + name; }));

  const std::string written = (folder / "ours.safetensors").string();
  std::vector<std::string> command{"import", "checkpoint", file.string(), "--space",
                                   "tiny",   "--output",   written,       "--json"};
  const Result result = omnifit_command(folder, command);
  INFO(result.err);
  REQUIRE(result.code == 0);
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json["num_classes"] == 5);
  CHECK(json["in_channels"] == 1);
  CHECK(json["checkpoint"] == written);
  CHECK(json["filled"].empty());
  const auto state = supernet::load_supernet(written, space, {1, 5}).export_state();
  const auto expected = network.export_state();
  REQUIRE(state.tensors.size() == expected.tensors.size());
  for (std::size_t i = 0; i < state.tensors.size(); ++i) {
    CHECK((state.tensors[i].data == expected.tensors[i].data));
  }

  SECTION("never over a file, unless forced") {
    check_refused(omnifit_command(folder, command),
                  written + ": exists already; choose another --output or give --force");
    command.emplace_back("--force");
    CHECK(omnifit_command(folder, command).code == 0);
  }
}

TEST_CASE("what cannot be imported ends with 2 and one line", "[cli][error]") {
  const test::TempDir folder;
  const auto file = folder / "evil.pth";
  namespace p = test::pickle;
  core::write_file_atomically(
      file, test::legacy_file(p::whole(p::call(p::global("os", "system"), {p::text("true")})), {}));
  const std::string output = (folder / "never.safetensors").string();
  const auto import = [&](const std::string& weights, const std::string& space) {
    return omnifit_command(folder,
                           {"import", "checkpoint", weights, "--space", space, "--output", output});
  };
  check_refused(import(file.string(), "tiny"), "global 'os.system' is not allowed");
  check_refused(import("nothing.pth", "tiny"), "nothing.pth: no such file");
  check_refused(import(file.string(), "tinny"), "did you mean 'tiny'?");

  const supernet::Supernet other(tiny(), {1, 5}, 9);
  core::write_file_atomically(
      file, test::legacy_state_dict(other.export_state(), [](const std::string& name) {
        return name.ends_with("bias") ? "" : name;
      }));
  check_refused(import(file.string(), "tiny"), "does not fit the space 'tiny'");
  CHECK_FALSE(std::filesystem::exists(output));
  check_refused(omnifit_command(folder, {"import"}), "(see --help)");
  check_refused(
      omnifit_command(folder, {"import", "network", "none.config", "--weights", "none.pth"}),
      "none.config");
}

TEST_CASE("the pretrained network is imported as a static network", "[cli][unit]") {
  const std::string data = "pretrained/proxyless-w0.25-r112_imagenet";
  OMNIFIT_REQUIRE_DATA(data);
  const std::filesystem::path path = std::filesystem::path(OMNIFIT_SHARED_DATA) / data;
  const test::TempDir folder;
  const std::string output = (folder / "net.safetensors").string();
  const Result result = omnifit_command(
      folder, {"import", "network", (path / "proxyless-w0.25-r112_imagenet.json").string(),
               "--weights", (path / "proxyless-w0.25-r112_imagenet.pth").string(), "--resolution",
               "112", "--output", output});
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.out, StartsWith("wrote " + output + ": ") && ContainsSubstring("1000 classes"));
  const auto read = formats::read_network_file(output);
  CHECK(read.network.plan.resolution_px == 112);
  CHECK(read.notes.at("source") == "proxyless-w0.25-r112_imagenet.pth");
}
