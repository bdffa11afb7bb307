#pragma once

#include "exporters/onnx_proof.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace omnifit::test {

/// Whether ONNX Runtime is there. Where it is not, the test is skipped aloud, but fails under
/// CI=true.
inline bool have_onnx_runtime() {
  const auto package =
      exporters::default_proof_script().parent_path() / "node_modules/onnxruntime-node";
  const bool node = std::system("node --version >/dev/null 2>&1") == 0;
  if (node && std::filesystem::exists(package)) return true;
  const std::string missing = node ? "onnxruntime-node is not installed in " + package.string()
                                   : std::string("Node.js is not installed");
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string(ci) == "true")
    FAIL(missing << ", and CI must prove every export");
  WARN("SKIPPED: " << missing);
  return false;
}

}  // namespace omnifit::test
