#include "exporters/onnx_proof.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "exporters/onnx_export.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/exporters/onnx_runtime.hpp"
#include "tests/exporters/reference_forward.hpp"
#include "tests/formats/random_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <string>

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Equals;
using namespace omnifit;
using namespace omnifit::exporters;

namespace {

/// A small network on disk with its proof case.
struct Case {
  test::TempDir dir;
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest);
  formats::FoldedNetwork network = test::random_network(test::small_plan(), rng);
  formats::NamedTensor images = test::random_images(network.plan, 4, rng);
  formats::NamedTensor logits = test::ReferenceForward(network)(images);
  std::filesystem::path model = dir / "model.onnx";

  Case() { write_onnx(network, model, {}); }

  Proof prove(const OnnxProofOptions& options = {}) const {
    return prove_onnx(model, images, logits, options);
  }
  /// Proof by a stand-in for the script.
  [[nodiscard]] Proof prove_with(const std::string& script, double timeout_s = 60) const {
    core::write_file_atomically(dir / "script.mjs", script);
    return prove({"node", dir / "script.mjs", timeout_s});
  }
};

std::string install_advice() {
  return "run: cmake --build " + std::string(OMNIFIT_BINARY_DIR) + " --target omnifit_onnxruntime";
}

void check_not_proven(const Proof& proof, const std::string& note) {
  CHECK(proof.state == ProofState::kNotProven);
  CHECK_FALSE(proof.max_rel_difference.has_value());
  CHECK_THAT(proof.note, Equals(note));
}

}  // namespace

TEST_CASE("ONNX Runtime computes the folded network", "[exporters][property]") {
  if (!test::have_onnx_runtime()) return;
  const test::TempDir dir;
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    auto rng = core::Rng::stream(seed, core::Purpose::kTest);
    const auto network = test::random_network(test::random_plan(rng), rng);
    const auto images = test::random_images(network.plan, 3, rng);
    write_onnx(network, dir / "a.onnx", {});
    const Proof proof = prove_onnx(dir / "a.onnx", images, test::ReferenceForward(network)(images));
    CAPTURE(seed, proof.note);
    REQUIRE(proof.state == ProofState::kProven);
    REQUIRE(proof.max_rel_difference < 1e-5);
    REQUIRE_THAT(proof.note, ContainsSubstring("ONNX Runtime "));
  }
}

TEST_CASE("ONNX Runtime computes networks of the shipped spaces", "[exporters][property]") {
  if (!test::have_onnx_runtime()) return;
  const std::string name = GENERATE("tiny", "mbv3_32px");
  const auto space = space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) /
                                              "configs/space" / (name + ".yaml"));
  const test::TempDir dir;
  auto rng = core::Rng::stream(7, core::Purpose::kTest);
  for (const space::Arch& arch :
       {space::largest(space), space::smallest(space), space::sample(space, rng)}) {
    const auto network = test::random_network(space::lower(space, arch, {3, 10}), rng);
    const auto images = test::random_images(network.plan, 2, rng);
    write_onnx(network, dir / "a.onnx", {});
    const Proof proof = prove_onnx(dir / "a.onnx", images, test::ReferenceForward(network)(images));
    CAPTURE(space::to_text(space, arch), proof.note);
    CHECK(proof.state == ProofState::kProven);
  }
}

TEST_CASE("an ONNX file can take pixels and fix its batch", "[exporters][property]") {
  if (!test::have_onnx_runtime()) return;
  const Case c;
  formats::OnnxOptions options;
  options.normalisation = {{0.5F, 0.4F, 0.3F}, {0.2F, 0.25F, 0.3F}};
  options.batch_size = 4;
  write_onnx(c.network, c.model, options);
  const Proof proof = prove_onnx(c.model, to_pixels(c.images, *options.normalisation), c.logits);
  CHECK(proof.state == ProofState::kProven);
  CHECK(c.prove().state == ProofState::kFailed);
}

TEST_CASE("a wrong or unreadable model fails the proof", "[exporters][error]") {
  if (!test::have_onnx_runtime()) return;
  Case c;
  SECTION("other weights") {
    write_onnx(test::random_network(test::small_plan(), c.rng), c.model, {});
    const Proof proof = c.prove();
    CHECK(proof.state == ProofState::kFailed);
    CHECK(proof.max_rel_difference > kProofTolerance);
    CHECK_THAT(proof.note, ContainsSubstring(": logits differ by "));
  }
  SECTION("not a model") {
    core::write_file_atomically(c.model, std::string_view("garbage"));
    CHECK(c.prove().state == ProofState::kFailed);
    CHECK_THAT(c.prove().note, ContainsSubstring("ONNX Runtime refuses the model: "));
  }
  SECTION("missing") {
    std::filesystem::remove(c.model);
    CHECK(c.prove().state == ProofState::kFailed);
  }
  SECTION("images of another size") {
    c.images = formats::NamedTensor::from_floats("images", {1, 3, 4, 4}, std::vector<float>(48));
    CHECK(c.prove().state == ProofState::kFailed);
    CHECK_THAT(c.prove().note, ContainsSubstring("ONNX Runtime refuses the model: "));
  }
}

TEST_CASE("what is missing for a proof is named", "[exporters][error]") {
  const Case c;
  OnnxProofOptions options;
  options.script = c.dir / "missing.mjs";
  check_not_proven(c.prove(options), "the proof script " + options.script.string() +
                                         " is missing; " + install_advice());
  options.script = default_proof_script();
  options.node = "omnifit-no-such-node";
  check_not_proven(c.prove(options), "Node.js ('omnifit-no-such-node') is not installed");
  options.node = "/tmp";
  check_not_proven(c.prove(options), "Node.js ('/tmp') cannot be started: Permission denied");
}

TEST_CASE("a proof script without its runtime says what to install", "[exporters][error]") {
  if (!test::have_onnx_runtime()) return;
  const Case c;
  const auto script = core::read_text_file(default_proof_script());
  check_not_proven(c.prove_with(script), "onnxruntime-node is not installed; " + install_advice());

  std::filesystem::create_directories(c.dir / "node_modules/onnxruntime-node");
  core::write_file_atomically(c.dir / "node_modules/onnxruntime-node/index.js",
                              std::string_view("throw new Error('no library for this machine');"));
  check_not_proven(c.prove_with(script),
                   "onnxruntime-node cannot be loaded: no library for this machine");
}

TEST_CASE("a proof script that misbehaves proves nothing", "[exporters][error]") {
  if (!test::have_onnx_runtime()) return;
  const Case c;
  check_not_proven(c.prove_with("setInterval(() => {}, 1000);", 0.5),
                   "ONNX Runtime gave no answer within 0.5 s");
  check_not_proven(c.prove_with("console.error('first'); console.error('last'); process.exit(7);"),
                   "Node.js ended with code 7: last");
  check_not_proven(
      c.prove_with("process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);"),
      "Node.js ended with signal 9");
  check_not_proven(c.prove_with("console.log('Segmentation fault');"),
                   "the answer of ONNX Runtime is not understood: 'Segmentation fault'");
  check_not_proven(c.prove_with(""), "the answer of ONNX Runtime is not understood: ''");
  check_not_proven(c.prove_with("console.log('{\"logits\": 7}');"),
                   "the answer of ONNX Runtime is not understood: '{\"logits\": 7}'");
  check_not_proven(c.prove_with("console.log('[]');"),
                   "the answer of ONNX Runtime is not understood: '[]'");
  check_not_proven(c.prove_with("const s = 'x'.repeat(1 << 20);"
                                "for (let i = 0; i < 80; ++i) process.stdout.write(s);"),
                   "ONNX Runtime's answer is too long");

  const Proof nan =
      c.prove_with("console.log(JSON.stringify({runtime: 'r', logits: Array(20).fill(NaN)}));");
  CHECK(nan.state == ProofState::kFailed);
  CHECK_THAT(nan.note, Equals("r: logits of another size, NaN or infinite"));
  CHECK(c.prove_with("console.log(JSON.stringify({runtime: 'r', logits: [1]}));").state ==
        ProofState::kFailed);
}

TEST_CASE("a proof case that the script cannot read proves nothing", "[exporters][error]") {
  if (!test::have_onnx_runtime()) return;
  const Case c;
  auto images = c.images;
  images.dtype = formats::DType::kInt64;
  images.shape[0] /= 2;
  const Proof proof = prove_onnx(c.model, images, c.logits);
  CHECK(proof.state == ProofState::kNotProven);
  CHECK_THAT(proof.note, ContainsSubstring("the proof case cannot be read: "));
}

TEST_CASE("a proof without a temporary folder says so", "[exporters][error]") {
  const Case c;
  const char* before = std::getenv("TMPDIR");
  const std::string previous = before == nullptr ? "" : before;
  const auto refusal = [&](const std::string& folder) {
    ::setenv("TMPDIR", folder.c_str(), 1);
    std::string text = "accepted";
    try {
      c.prove({"node", c.model, 1});
    } catch (const EnvironmentError& error) {
      text = error.what();
    }
    if (before == nullptr) {
      ::unsetenv("TMPDIR");
    } else {
      ::setenv("TMPDIR", previous.c_str(), 1);
    }
    return text;
  };
  CHECK_THAT(refusal((c.dir / "missing").string()), ContainsSubstring("no temporary folder: "));
  // Where nobody may make folders, not even root.
  CHECK_THAT(refusal("/proc"), ContainsSubstring("/proc: cannot make a temporary folder: "));
}
