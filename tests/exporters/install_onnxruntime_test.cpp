#include "core/child_process.hpp"
#include "core/file_io.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <string>
#include <vector>

using Catch::Matchers::ContainsSubstring;
using namespace omnifit;
using namespace omnifit::core;

namespace {

/// The installation step of the build with a stand-in for npm, given as a shell script ("" = none).
struct Case {
  test::TempDir dir;
  std::filesystem::path folder = dir / "onnxruntime";

  CommandResult install(const std::string& npm_script) const {
    std::string npm;
    if (!npm_script.empty()) {
      npm = (dir / "npm").string();
      core::write_file_atomically(npm, "#!/bin/sh\n" + npm_script + "\n");
      std::filesystem::permissions(npm, std::filesystem::perms::owner_all);
    }
    std::vector<std::string> command{"cmake"};
    command.push_back("-DNPM=" + npm);
    command.push_back("-DFOLDER=" + folder.string());
    command.emplace_back("-DVERSION=1.2.3");
    command.emplace_back("-P");
    command.emplace_back(OMNIFIT_SOURCE_DIR "/exporters/proof/install_onnxruntime.cmake");
    return run_command(command);
  }
};

}  // namespace

TEST_CASE("ONNX Runtime is installed once", "[exporters][unit]") {
  const Case c;
  const CommandResult first = c.install("echo \"$@\" >> calls; mkdir -p node_modules");
  CHECK(first.code == 0);
  CHECK_THAT(first.out, ContainsSubstring("Installing onnxruntime-node@1.2.3 into "));
  CHECK(core::read_text_file(c.folder / "installed") == "onnxruntime-node@1.2.3");
  CHECK(c.install("echo again >> calls").code == 0);
  const std::string calls = core::read_text_file(c.folder / "calls");
  CHECK_THAT(calls, ContainsSubstring("--no-package-lock --ignore-scripts"));
  CHECK_THAT(calls, ContainsSubstring("onnxruntime-node@1.2.3"));
  CHECK(calls.find("again") == std::string::npos);

  core::write_file_atomically(c.folder / "installed", std::string_view("onnxruntime-node@1.0.0"));
  CHECK(c.install("echo again >> calls").code == 0);
  CHECK_FALSE(std::filesystem::exists(c.folder / "node_modules"));
  CHECK_THAT(core::read_text_file(c.folder / "calls"), ContainsSubstring("again"));
}

TEST_CASE("a build goes on without npm or the network, and says what that means",
          "[exporters][error]") {
  const Case c;
  const CommandResult without = c.install("");
  CHECK(without.code == 0);
  CHECK_THAT(without.out,
             ContainsSubstring("npm was not found: onnxruntime-node@1.2.3 is not installed; ONNX "
                               "exports will be reported as not proven"));

  const CommandResult offline = c.install("echo 'no route to host' >&2; exit 3");
  CHECK(offline.code == 0);
  CHECK_THAT(offline.out, ContainsSubstring("npm could not install onnxruntime-node@1.2.3 (3): no "
                                            "route to host"));
  CHECK_THAT(offline.out, ContainsSubstring("the next build tries again"));
  CHECK_FALSE(std::filesystem::exists(c.folder / "installed"));
}
