#include "exporters/torchscript.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "exporters/onnx_export.hpp"
#include "tests/exporters/reference_forward.hpp"
#include "tests/formats/random_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <string>

using Catch::Matchers::ContainsSubstring;
using namespace omnifit;
using namespace omnifit::exporters;

TEST_CASE("TorchScript files compute the folded network", "[exporters][property]") {
  const test::TempDir dir;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    auto rng = core::Rng::stream(seed, core::Purpose::kTest);
    const auto network = test::random_network(test::random_plan(rng), rng);
    const auto images = test::random_images(network.plan, 3, rng);
    const auto expected = test::ReferenceForward(network)(images);
    write_torchscript(network, dir / "a.pt");
    REQUIRE(prove_torchscript(dir / "a.pt", images, expected) < 1e-5);
  }
}

TEST_CASE("a TorchScript file can take pixels", "[exporters][property]") {
  const test::TempDir dir;
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  const auto network = test::random_network(test::small_plan(), rng);
  const auto images = test::random_images(network.plan, 3, rng);
  const auto expected = test::ReferenceForward(network)(images);
  const formats::InputNormalisation normalisation{{0.5F, 0.4F, 0.3F}, {0.2F, 0.25F, 0.3F}};
  write_torchscript(network, dir / "a.pt", {normalisation, {}});
  CHECK(prove_torchscript(dir / "a.pt", to_pixels(images, normalisation), expected) < 1e-5);
  CHECK(prove_torchscript(dir / "a.pt", images, expected) > 1e-2);
}

TEST_CASE("a loaded TorchScript file is frozen, in evaluation mode and carries its metadata",
          "[exporters][unit]") {
  const test::TempDir dir;
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  const auto network = test::random_network(test::small_plan(), rng);
  write_torchscript(network, dir / "a.pt", {{}, {{"arch", "tiny/v1"}}});
  torch::jit::ExtraFilesMap extra{{"arch", ""}};
  const auto module = torch::jit::load((dir / "a.pt").string(), at::Device(at::kCPU), extra);
  CHECK(extra["arch"] == "tiny/v1");
  REQUIRE(module.hasattr("training"));
  CHECK_FALSE(module.attr("training").toBool());
  CHECK_FALSE(module.is_training());
  CHECK(module.parameters().size() == 0);

  write_torchscript(network, dir / "b.pt", {{}, {{"arch", "tiny/v1"}}});
  CHECK((core::read_file(dir / "a.pt") == core::read_file(dir / "b.pt")));
}

TEST_CASE("a wrong TorchScript file is not proven", "[exporters][error]") {
  const test::TempDir dir;
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  const auto network = test::random_network(test::small_plan(), rng);
  const auto images = test::random_images(network.plan, 2, rng);
  const auto expected = test::ReferenceForward(network)(images);
  const auto other = test::random_network(test::small_plan(), rng);
  write_torchscript(other, dir / "other.pt");
  CHECK(judge(prove_torchscript(dir / "other.pt", images, expected), "LibTorch").state ==
        ProofState::kFailed);
}

TEST_CASE("what is no TorchScript file is refused", "[exporters][error]") {
  const test::TempDir dir;
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  const auto network = test::random_network(test::small_plan(), rng);
  const auto images = test::random_images(network.plan, 2, rng);
  const auto expected = test::ReferenceForward(network)(images);
  const auto refusal = [&](const formats::NamedTensor& input) {
    try {
      prove_torchscript(dir / "a.pt", input, expected);
    } catch (const DataError& error) {
      const std::string text = error.what();
      CHECK(text.find('\n') == std::string::npos);
      return text;
    }
    return std::string("accepted");
  };
  CHECK_THAT(refusal(images), ContainsSubstring("a.pt"));

  core::write_file_atomically(dir / "a.pt", std::string_view("garbage"));
  CHECK_THAT(refusal(images), ContainsSubstring("a.pt: not a usable TorchScript file: "));

  write_torchscript(network, dir / "a.pt");
  const std::string whole = core::read_text_file(dir / "a.pt");
  core::write_file_atomically(dir / "a.pt", whole.substr(0, whole.size() / 2));
  CHECK_THAT(refusal(images), ContainsSubstring("a.pt: not a usable TorchScript file: "));

  core::write_file_atomically(dir / "a.pt", whole);
  const auto grey =
      formats::NamedTensor::from_floats("images", {1, 1, 8, 8}, std::vector<float>(64));
  CHECK_THAT(refusal(grey), ContainsSubstring("a.pt: not a usable TorchScript file: "));
}

TEST_CASE("an invalid network is not written", "[exporters][error]") {
  const test::TempDir dir;
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  auto network = test::random_network(test::small_plan(), rng);
  network.tensors.pop_back();
  CHECK_THROWS_AS(write_torchscript(network, dir / "a.pt"), DataError);
  CHECK_THROWS_AS(write_onnx(network, dir / "a.onnx", {}), DataError);
  CHECK_FALSE(std::filesystem::exists(dir / "a.pt"));
  CHECK_FALSE(std::filesystem::exists(dir / "a.onnx"));
}

TEST_CASE("a file that cannot be written says so", "[exporters][error]") {
  const test::TempDir dir;
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  const auto network = test::random_network(test::small_plan(), rng);
  CHECK_THROWS_AS(write_torchscript(network, dir / "no/folder/a.pt"), EnvironmentError);
  CHECK_THROWS_AS(write_onnx(network, dir / "no/folder/a.onnx", {}), EnvironmentError);
}
