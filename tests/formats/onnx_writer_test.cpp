#include "formats/onnx_writer.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/formats/random_network.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <set>

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Equals;
using namespace omnifit;
using namespace omnifit::formats;

namespace {

FoldedNetwork small_network() {
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  return test::random_network(test::small_plan(), rng);
}

void check_golden(const std::string& name, const std::string& text) {
  const auto golden = std::filesystem::path(OMNIFIT_SOURCE_DIR) / "tests/formats/golden" / name;
  if (std::getenv("OMNIFIT_UPDATE_GOLDEN") != nullptr) core::write_file_atomically(golden, text);
  CHECK(text == core::read_text_file(golden));
}

}  // namespace

TEST_CASE("a small network has the expected ONNX graph", "[formats][golden]") {
  OnnxOptions options;
  options.model_name = "small";
  options.metadata = {{"arch", "tiny/v1"}, {"resolution_px", "8"}};
  check_golden("small_network_onnx.txt", describe_onnx(onnx_model(small_network(), options)));
}

TEST_CASE("a small bottleneck network has the expected ONNX graph", "[formats][golden]") {
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  const FoldedNetwork network = test::random_network(test::small_bottleneck_plan(), rng);
  check_golden("small_bottleneck_onnx.txt", describe_onnx(onnx_model(network, {})));
}

TEST_CASE("normalisation comes first and the batch can be fixed", "[formats][golden]") {
  OnnxOptions options;
  options.normalisation = {{0.5F, 0.4F, 0.3F}, {0.2F, 0.2F, 0.25F}};
  options.batch_size = 4;
  const std::string text = describe_onnx(onnx_model(small_network(), options));
  CHECK_THAT(text,
             ContainsSubstring(
                 "input images [4, 3, 8, 8]\n"
                 "node normalise/subtract: Sub(images, normalise/mean) -> normalise/subtract\n"
                 "node normalise/divide: Div(normalise/subtract, normalise/std) -> "
                 "normalise/divide\n"
                 "node stem/conv: Conv(normalise/divide, "));
  CHECK_THAT(text, ContainsSubstring("output logits [4, 5]\n"));
}

TEST_CASE("every plan of the family passes the checker, with unique names and the same bytes twice",
          "[formats][property]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    auto rng = core::Rng::stream(seed, core::Purpose::kTest);
    const FoldedNetwork network = test::random_network(test::random_plan(rng), rng);
    std::set<std::string> names;
    const InferenceGraph graph(network);
    for (const GraphNode& node : graph.nodes()) REQUIRE(names.insert(node.name).second);
    const std::string model = onnx_model(network, {});
    REQUIRE(model == onnx_model(network, {}));
  }
}

TEST_CASE("wrong arguments of the ONNX writer are named", "[formats][error]") {
  FoldedNetwork network = small_network();
  OnnxOptions options;
  SECTION("name") {
    options.model_name = "";
    CHECK_THROWS_WITH(onnx_model(network, options), Equals("model_name must not be empty"));
  }
  SECTION("batch size") {
    options.batch_size = -1;
    CHECK_THROWS_WITH(onnx_model(network, options),
                      Equals("batch_size must be at least 0 (0 = any), got -1"));
  }
  SECTION("metadata") {
    options.metadata = {{"class", "\xff"}};
    CHECK_THROWS_WITH(onnx_model(network, options), Equals("ONNX metadata must be UTF-8 text"));
  }
  SECTION("version") {
    options.producer_version = "\xff";
    CHECK_THROWS_WITH(onnx_model(network, options),
                      Equals("ONNX model name and version must be UTF-8 text"));
  }
  SECTION("normalisation") {
    options.normalisation =
        GENERATE(InputNormalisation{{0.5F}, {0.5F}}, InputNormalisation{{0, 0, 0}, {1, 0, 1}},
                 InputNormalisation{{NAN, 0, 0}, {1, 1, 1}});
    CHECK_THROWS_WITH(onnx_model(network, options),
                      ContainsSubstring("normalisation must have a finite mean and a positive "
                                        "deviation for each of 3 channels, got mean ["));
  }
  SECTION("plan without units") { CHECK_THROWS_AS(onnx_model({}, options), DataError); }
  SECTION("invalid network") {
    network.tensors.pop_back();
    CHECK_THROWS_WITH(onnx_model(network, options),
                      Equals("folded network: 'units.4.bias' is missing"));
  }
}

TEST_CASE("what is no ONNX model is not described", "[formats][error]") {
  CHECK_THROWS_WITH(describe_onnx("garbage"), Equals("not an ONNX model"));
  CHECK_THROWS_WITH(describe_onnx(""), Equals("not an ONNX model"));
}

TEST_CASE("networks of the shipped spaces pass the checker", "[formats][property]") {
  const std::string name = GENERATE("tiny", "mbv3_32px", "ofa_resnet50");
  const auto space = space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) /
                                              "configs/space" / (name + ".yaml"));
  // Weights of the large networks take their time.
  const std::uint64_t count = name == "ofa_resnet50" ? 2 : 20;
  for (std::uint64_t seed = 0; seed < count; ++seed) {
    auto rng = core::Rng::stream(seed, core::Purpose::kTest);
    const space::Arch arch = space::sample(space, rng);
    CAPTURE(space::to_text(space, arch));
    const FoldedNetwork network = test::random_network(space::lower(space, arch, {3, 10}), rng);
    REQUIRE_NOTHROW(onnx_model(network, {}));
  }
}
