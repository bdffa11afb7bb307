#include "formats/folded_network.hpp"

#include "core/error.hpp"
#include "tests/formats/random_network.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <limits>

using Catch::Matchers::Equals;
using namespace omnifit;
using namespace omnifit::formats;

TEST_CASE("tensors of a folded network have the documented names and shapes", "[formats][golden]") {
  std::string text;
  for (const TensorShape& tensor : folded_tensor_shapes(test::small_plan())) {
    text += tensor.name + " " + fmt::format("{}", fmt::join(tensor.shape, "x")) + "\n";
  }
  CHECK(text ==
        "units.0.weight 4x3x3x3\n"
        "units.0.bias 4\n"
        "units.1.expand.weight 8x4x1x1\n"
        "units.1.expand.bias 8\n"
        "units.1.depthwise.weight 8x1x5x5\n"
        "units.1.depthwise.bias 8\n"
        "units.1.se.reduce.weight 2x8x1x1\n"
        "units.1.se.reduce.bias 2\n"
        "units.1.se.expand.weight 8x2x1x1\n"
        "units.1.se.expand.bias 8\n"
        "units.1.project.weight 4x8x1x1\n"
        "units.1.project.bias 4\n"
        "units.2.weight 6x4x1x1\n"
        "units.4.weight 5x6\n"
        "units.4.bias 5\n");
}

TEST_CASE("tensors of a bottleneck block have the documented names and shapes",
          "[formats][golden]") {
  std::string text;
  for (const TensorShape& shape : folded_tensor_shapes(test::small_bottleneck_plan())) {
    if (shape.name.starts_with("units.3.") || shape.name.starts_with("units.4.")) {
      text += fmt::format("{} [{}]\n", shape.name, fmt::join(shape.shape, ", "));
    }
  }
  CHECK(text == R"(units.3.conv1.weight [2, 4, 1, 1]
units.3.conv1.bias [2]
units.3.conv2.weight [2, 2, 3, 3]
units.3.conv2.bias [2]
units.3.conv3.weight [8, 2, 1, 1]
units.3.conv3.bias [8]
units.3.downsample.weight [8, 4, 1, 1]
units.3.downsample.bias [8]
units.4.conv1.weight [2, 8, 1, 1]
units.4.conv1.bias [2]
units.4.conv2.weight [2, 2, 3, 3]
units.4.conv2.bias [2]
units.4.conv3.weight [8, 2, 1, 1]
units.4.conv3.bias [8]
)");
}

TEST_CASE("a valid folded network gives its tensors by unit and part", "[formats][unit]") {
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  const FoldedNetwork network = test::random_network(test::small_plan(), rng);
  CHECK_NOTHROW(network.validate());
  CHECK(network.tensor(1, "se.reduce.bias").count() == 2);
  CHECK(&network.tensor(4, "weight") == &network.tensors[13]);
  CHECK_THROWS_AS(network.tensor(3, "weight"), BugError);
}

TEST_CASE("validation lists everything that is wrong with the tensors", "[formats][error]") {
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  FoldedNetwork network = test::random_network(test::small_plan(), rng);
  std::vector<NamedTensor>& tensors = network.tensors;
  const auto refusal = [&] {
    try {
      network.validate();
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  SECTION("missing, extra and misshapen at once") {
    tensors[0].shape = {3, 4, 3, 3};
    tensors[1].name = "units.0.scale";
    CHECK(refusal() ==
          "folded network: 'units.0.weight' has shape [3, 4, 3, 3], expected [4, 3, 3, 3]; "
          "'units.0.bias' is missing; 'units.0.scale' belongs to no unit");
  }
  SECTION("twice") {
    tensors.push_back(tensors[0]);
    CHECK(refusal() == "folded network: 'units.0.weight' occurs twice");
  }
  SECTION("wrong dtype") {
    tensors[0].dtype = DType::kInt64;
    CHECK(refusal() == "folded network: 'units.0.weight' is not F32");
  }
  SECTION("data shorter than the shape") {
    tensors[1].data.resize(13);
    CHECK(refusal() == "folded network: 'units.0.bias' has 13 bytes, expected 16");
  }
  SECTION("order") {
    std::swap(tensors[0], tensors[1]);
    CHECK(refusal() == "folded network: the tensors are not in the order of the units");
  }
  SECTION("not a number") {
    const float value =
        GENERATE(std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity());
    std::ranges::copy(std::as_bytes(std::span(&value, 1)), tensors[1].data.begin() + 4);
    CHECK(refusal() == "folded network: 'units.0.bias' holds NaN or infinity");
  }
}

TEST_CASE("validation lists units that do not fit together", "[formats][error]") {
  auto rng = core::Rng::stream(1, core::Purpose::kTest);
  space::NetworkPlan plan = test::small_plan();
  const auto refusal = [&] {
    try {
      test::random_network(plan, rng).validate();
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  auto& block = std::get<space::MbConvSpec>(plan.units[1].spec);
  SECTION("channels") {
    std::get<space::ConvSpec>(plan.units[2].spec).in_channels = 5;
    plan.io = {1, 6};
    CHECK(refusal() ==
          "folded network: unit 0 takes [3, 8, 8], but gets [1, 8, 8]; unit 2 takes [5, 4, 4], but "
          "gets [4, 4, 4]; the network gives [5, 1, 1], expected [6, 1, 1]");
  }
  SECTION("resolution") {
    plan.resolution_px = 9;
    CHECK(refusal() == "folded network: unit 0 takes [3, 8, 8], but gets [3, 9, 9]");
  }
  SECTION("no expansion") {
    block.expand = false;
    CHECK(refusal() == "folded network: unit 1 has no expansion although its widths differ");
  }
  SECTION("even kernel") {
    block.kernel_size = 2;
    CHECK_THAT(refusal(), Catch::Matchers::ContainsSubstring(
                              "folded network: unit 1 has a kernel of even size 2"));
  }
  SECTION("shortcut") {
    block.out_channels = 8;
    std::get<space::ConvSpec>(plan.units[2].spec).in_channels = 8;
    CHECK(refusal() == "folded network: unit 1 has a shortcut between different shapes");
  }
  SECTION("shortcuts of bottleneck networks") {
    plan = test::small_bottleneck_plan();
    CHECK(refusal() == "accepted");
    auto& stem = std::get<space::ConvSpec>(plan.units[0].spec);
    stem.shortcut = true;
    std::get<space::BottleneckSpec>(plan.units[3].spec).downsample = space::Downsample::kNone;
    CHECK(refusal() ==
          "folded network: unit 0 has a shortcut between different shapes; unit 3 has a shortcut "
          "between different shapes");
  }
  SECTION("no units") {
    plan.units.clear();
    CHECK(refusal() == "folded network: the network gives [3, 8, 8], expected [5, 1, 1]");
  }
}
