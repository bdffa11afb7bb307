#include "exporters/runtime_check.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>

using namespace omnifit::exporters;

TEST_CASE("the runtime check proves a network known by hand, or says what is missing",
          "[exporters][unit]") {
  const Proof proof = check_onnx_runtime();
  CAPTURE(proof.note);
  CHECK(proof.state != ProofState::kFailed);
  if (std::getenv("CI") != nullptr) CHECK(proof.state == ProofState::kProven);
  CHECK_FALSE(proof.note.empty());
  const Proof without = check_onnx_runtime({.node = "/nonexistent/node", .script = {}});
  CHECK(without.state == ProofState::kNotProven);
  CHECK_THAT(without.note, Catch::Matchers::ContainsSubstring("Node.js"));
}
