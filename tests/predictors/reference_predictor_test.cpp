#include "predictors/reference_predictor.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "formats/torch_file.hpp"
#include "space/sampling.hpp"
#include "tests/formats/torch_file_builder.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace omnifit::predictors {
namespace {

using Catch::Matchers::ContainsSubstring;
using formats::NamedTensor;
using formats::TensorFile;

const std::filesystem::path kReleased = std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_released";

NamedTensor filled(const std::string& name, const std::vector<std::int64_t>& shape, float step) {
  NamedTensor tensor{name, formats::DType::kFloat32, shape, {}};
  std::vector<float> values(static_cast<std::size_t>(tensor.count()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = step * static_cast<float>(static_cast<int>(i % 7) - 3);
  }
  return NamedTensor::from_floats(name, shape, values);
}

/// A small predictor of the tutorial's generation.
TensorFile tutorial(int inputs = 128) {
  return {{},
          {filled("0.weight", {6, inputs}, 0.1F), filled("0.bias", {6}, 0.1F),
           filled("2.weight", {5, 6}, 0.2F), filled("2.bias", {5}, 0.1F),
           filled("4.weight", {1, 5}, 0.1F), filled("4.bias", {1}, -0.2F)}};
}

/// One of the later generation.
TensorFile later(int inputs) {
  return {{},
          {filled("base_acc", {1}, -0.25F), filled("layers.0.0.weight", {6, inputs}, 0.1F),
           filled("layers.0.0.bias", {6}, 0.1F), filled("layers.1.weight", {1, 6}, 0.01F)}};
}

/// Writes a state dict and loads it as a predictor; `rename` as legacy_state_dict has it.
class Written {
 public:
  explicit Written(const TensorFile& state)
      : Written(state, [](const std::string& name) { return name; }) {}
  template <class Rename>
  Written(const TensorFile& state, const Rename& rename) {
    core::write_file_atomically(file(), test::legacy_state_dict(state, rename));
  }
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "predictor.pth"; }
  [[nodiscard]] ReferencePredictor load(const space::SearchSpace& space) const {
    return ReferencePredictor::load(file(), space);
  }
  /// The message of the refusal, without the path.
  [[nodiscard]] std::string refusal(const space::SearchSpace& space) const {
    try {
      (void)load(space);
    } catch (const DataError& error) {
      const std::string message = error.what();
      CHECK(message.starts_with(file().string() + ": "));
      CHECK(message.find('\n') == std::string::npos);
      return message.substr(file().string().size() + 2);
    }
    return "accepted";
  }

 private:
  test::TempDir folder_;
};

TEST_CASE("released predictors say what the reference's own code says", "[predictors][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released/reference_predictions.json");
  const auto expected =
      nlohmann::json::parse(core::read_text_file(kReleased / "reference_predictions.json"));
  struct Case {
    std::string key;
    std::string file;
    space::SearchSpace space;
    std::vector<int> widths;
  };
  const std::vector<Case> cases{{"mbv3_note10",
                                 "acc_predictor.pth",
                                 test::ofa_mbv3(1.2, {160, 176, 192, 208, 224}),
                                 {128, 400, 400, 400, 1}},
                                {"resnet50",
                                 "ofa_resnet50_acc_predictor.pth",
                                 test::ofa_resnet50({128, 144, 160, 176, 192, 224, 240, 256}),
                                 {82, 400, 400, 400, 1}}};
  for (const Case& example : cases) {
    const auto predictor = ReferencePredictor::load(kReleased / example.file, example.space);
    CHECK(predictor.widths() == example.widths);
    std::vector<space::Arch> archs;
    const auto& rows = expected[example.key]["rows"];
    for (const auto& row : rows) {
      nlohmann::json arch = row;
      arch.erase("predicted_top1");
      arch.erase("latency_ms");
      archs.push_back(space::parse_arch_json(example.space, arch.dump()));
    }
    REQUIRE(archs.size() == 200);
    const std::vector<double> found = predictor.predict(archs, 2);
    for (std::size_t i = 0; i < archs.size(); ++i) {
      REQUIRE(std::abs(found[i] - rows[i]["predicted_top1"].get<double>()) < 1e-5);
    }
  }
}

TEST_CASE("released predictors on named networks", "[predictors][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released/acc_predictor.pth");
  const space::SearchSpace mbv3 = test::ofa_mbv3(1.2, {160, 192, 224});
  const auto predictor = ReferencePredictor::load(kReleased / "acc_predictor.pth", mbv3);
  const auto at_resolution = [&](const space::Arch& arch, int choice) {
    std::vector<std::uint8_t> all(arch.choices().begin(), arch.choices().end());
    all[static_cast<std::size_t>(*mbv3.find_gene(space::Axis::kResolution))] =
        static_cast<std::uint8_t>(choice);
    return space::Arch(mbv3, all);
  };
  std::vector<space::Arch> archs;
  for (int choice = 0; choice < 3; ++choice) {
    archs.push_back(at_resolution(space::largest(mbv3), choice));
  }
  for (int choice = 0; choice < 3; ++choice) {
    archs.push_back(at_resolution(space::smallest(mbv3), choice));
  }
  const std::vector<double> expected{0.80750322, 0.82712209, 0.83592778,
                                     0.75311863, 0.77044243, 0.77738649};
  const std::vector<double> found = predictor.predict(archs);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(std::abs(found[i] - expected[i]) < 1e-6);
  }

  const space::SearchSpace resnet = test::ofa_resnet50({128, 224, 256});
  const auto of_resnet =
      ReferencePredictor::load(kReleased / "ofa_resnet50_acc_predictor.pth", resnet);
  CHECK(std::abs(of_resnet.predict(std::vector{space::largest(resnet)}).front() - 0.82987005) <
        1e-6);
}

TEST_CASE("predictions are the same bits for any batch size and thread count",
          "[predictors][property]") {
  const space::SearchSpace space = test::ofa_mbv3(1.0, {160, 192, 224});
  const ReferencePredictor predictor = Written(tutorial()).load(space);
  core::Rng rng = test::test_rng(2);
  std::vector<space::Arch> archs;
  for (int i = 0; i < 300; ++i) archs.push_back(space::sample(space, rng));
  const std::vector<double> expected = predictor.predict(archs);
  CHECK(predictor.predict(archs, 3) == expected);
  for (std::size_t i = 0; i < archs.size(); ++i) {
    REQUIRE(predictor.predict(std::span(archs).subspan(i, 1), 2).front() == expected[i]);
  }
  CHECK(predictor.predict({}).empty());
}

TEST_CASE("the later generation adds its mean accuracy and has no last bias",
          "[predictors][unit]") {
  const space::SearchSpace space = test::ofa_mbv3(1.0, {128, 160, 192, 224});
  TensorFile state = later(124);
  const std::vector<space::Arch> archs{space::largest(space), space::smallest(space)};
  const std::vector<double> before = Written(state).load(space).predict(archs);
  state.tensors[0] = NamedTensor::from_floats("base_acc", {1}, std::vector<float>{0.5F});
  const std::vector<double> after = Written(state).load(space).predict(archs);
  const double old_base = -0.25 * -3.0;
  CHECK(after[0] - before[0] == Approx(0.5 - old_base).epsilon(1e-5));
  CHECK(after[1] - before[1] == Approx(0.5 - old_base).epsilon(1e-5));
  CHECK(before[0] != before[1]);
}

TEST_CASE("a predictor survives saving", "[predictors][unit]") {
  const space::SearchSpace space = test::ofa_resnet50({128, 256});
  const ReferencePredictor predictor = Written(later(82)).load(space);
  const auto restored = ReferencePredictor::restore(predictor.serialise(), space);
  const std::vector<space::Arch> archs{space::largest(space), space::smallest(space)};
  CHECK(restored.predict(archs) == predictor.predict(archs));
  CHECK(restored.layout_version() == predictor.layout_version());
  CHECK(restored.serialise() == predictor.serialise());
  const space::SearchSpace other = test::ofa_resnet50({128, 144});
  CHECK(ReferencePredictor::restore(predictor.serialise(), other).layout_version() !=
        predictor.layout_version());

  std::vector<std::byte> bytes = predictor.serialise();
  bytes.front() = std::byte{9};
  CHECK_THROWS_WITH(ReferencePredictor::restore(bytes, space),
                    "saved reference_mlp model: it is of a newer version");
  CHECK_THROWS_WITH(ReferencePredictor::restore({}, space),
                    "saved reference_mlp model: the bytes end too early");
  bytes = predictor.serialise();
  bytes.pop_back();
  CHECK_THROWS_WITH(ReferencePredictor::restore(bytes, space),
                    "saved mlp model: the bytes end too early");
}

TEST_CASE("a resolution without a column is refused, or the nearest taken", "[predictors][error]") {
  const space::SearchSpace space = test::ofa_mbv3(1.0, {130, 160});
  const Written written(tutorial());
  CHECK(written.refusal(space) ==
        "resolution 130 has no column; allowed: 112, 128, 144, 160, 176, 192, 208, 224");
  const auto predictor =
      ReferencePredictor::load(written.file(), space, ReferencePredictor::Resolutions::kNearest);
  const space::SearchSpace exact = test::ofa_mbv3(1.0, {128, 160});
  CHECK(predictor.predict(std::vector{space::smallest(space)}) ==
        written.load(exact).predict(std::vector{space::smallest(exact)}));
}

TEST_CASE("a file that is no such predictor is refused, naming everything wrong",
          "[predictors][error]") {
  const space::SearchSpace space = test::ofa_mbv3(1.2, {160, 224});
  const auto same = [](const std::string& name) { return name; };
  const auto without = [](const std::string& left_out) {
    return [left_out](const std::string& name) { return name == left_out ? "" : name; };
  };
  CHECK(Written(TensorFile{{}, {filled("first_conv.weight", {3, 3}, 0.1F)}}, same).refusal(space) ==
        "not an accuracy predictor of the reference: neither '0.weight' nor 'layers.0.0.weight' is "
        "in it");
  TensorFile both = tutorial();
  for (const NamedTensor& tensor : later(124).tensors) both.tensors.push_back(tensor);
  CHECK(Written(both).refusal(space) == "two accuracy predictors in one file");

  CHECK(Written(tutorial(), without("2.bias")).refusal(space) ==
        "1 of 6 tensors missing, 0 extra, 0 wrong: '2.bias' is missing");
  CHECK_THAT(Written(tutorial(), without("2.weight")).refusal(space),
             ContainsSubstring("'2.weight' is missing"));
  CHECK(Written(later(124), without("base_acc")).refusal(space) ==
        "1 of 4 tensors missing, 0 extra, 0 wrong: 'base_acc' is missing");
  TensorFile state = tutorial();
  state.tensors.push_back(filled("6.running_mean", {3}, 0.1F));
  CHECK(Written(state).refusal(space) ==
        "0 of 6 tensors missing, 1 extra, 0 wrong: '6.running_mean' does not belong to this "
        "network");
  state = tutorial();
  state.tensors[2] = filled("2.weight", {5, 7}, 0.1F);
  state.tensors[5] = filled("4.bias", {2}, 0.1F);
  CHECK(Written(state).refusal(space) ==
        "0 of 6 tensors missing, 0 extra, 2 wrong: '2.weight' has shape [5, 7], expected [5, 6]; "
        "'4.bias' has shape [2], expected [1]");
  state = tutorial();
  state.tensors[0] = filled("0.weight", {6, 128}, std::nanf(""));
  CHECK_THAT(Written(state).refusal(space), ContainsSubstring("'0.weight' holds NaN or infinity"));
}

TEST_CASE("layers that are no predictor are refused", "[predictors][error]") {
  const space::SearchSpace space = test::ofa_mbv3(1.2, {160, 224});
  const auto refused = [&](std::vector<learn::DenseLayer> layers) {
    return ReferencePredictor::from_layers(std::move(layers), space);
  };
  CHECK_THROWS_WITH(refused({}), "layers: a network needs at least one layer");
  CHECK_THROWS_WITH(refused({{Eigen::MatrixXf::Ones(2, 128), Eigen::VectorXf::Zero(2)}}),
                    "layers: gives 2 numbers instead of one accuracy");
  CHECK(refused({{Eigen::MatrixXf::Ones(1, 128), Eigen::VectorXf::Zero(1)}})
            .predict(std::vector{space::smallest(space)}) == std::vector<double>{21.0});
}

TEST_CASE("a predictor of another space is refused", "[predictors][error]") {
  const Written mbv3(tutorial());
  CHECK(mbv3.refusal(test::ofa_resnet50({128, 160})) ==
        "this predictor is for mbconv spaces; 'ofa_resnet50' is of family bottleneck");
  CHECK(mbv3.refusal(test::ofa_proxyless(1.3, {160, 224})) ==
        "takes 128 inputs, but archs of space 'ofa_proxyless' have 134");
  CHECK(Written(later(82)).refusal(test::ofa_mbv3(1.0, {128, 160})) ==
        "takes 82 inputs, but archs of space 'ofa_mbv3' have 124");
  CHECK_THAT(mbv3.refusal(test::shipped_space("tiny")), ContainsSubstring("this predictor needs"));
  CHECK(Written(later(82)).refusal(test::shipped_space_with(
            "ofa_resnet50", {"resolutions=[128]", "width_mult=[0.5, 0.8, 1.0]"})) ==
        "this predictor needs the width multipliers 0.65, 0.8, 1; space 'ofa_resnet50' has 0.5, "
        "0.8, 1");
}

TEST_CASE("a truncated or foreign file is refused in one line", "[predictors][error]") {
  const space::SearchSpace space = test::ofa_mbv3(1.2, {160, 224});
  const test::TempDir folder;
  const auto file = folder.path() / "predictor.pth";
  const auto refusal = [&](const std::string& content) {
    core::write_file_atomically(file, content);
    try {
      ReferencePredictor::load(file, space);
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const std::string whole =
      test::legacy_state_dict(tutorial(), [](const std::string& name) { return name; });
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{20}, whole.size() / 2, whole.size() - 1}) {
    const std::string message = refusal(whole.substr(0, size));
    INFO(message);
    CHECK(message.starts_with(file.string() + ": "));
    CHECK(message.find('\n') == std::string::npos);
  }
  CHECK_THAT(refusal("ks: 3\n"), ContainsSubstring(file.string() + ": "));
  CHECK_THROWS_WITH(ReferencePredictor::load(folder.path() / "none.pth", space),
                    (folder.path() / "none.pth").string() + ": no such file");
}

}  // namespace
}  // namespace omnifit::predictors
