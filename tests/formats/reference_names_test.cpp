#include "formats/reference_names.hpp"

#include "core/error.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <cstring>

using namespace omnifit;
using formats::DType;
using formats::NamedTensor;
using formats::TensorFile;
using formats::TensorShape;

namespace {

NamedTensor floats(const std::string& name, std::vector<std::int64_t> shape, float value = 0.5F) {
  std::size_t count = 1;
  for (const std::int64_t dim : shape) count *= static_cast<std::size_t>(dim);
  return NamedTensor::from_floats(name, std::move(shape), std::vector<float>(count, value));
}

template <class T>
NamedTensor scalar(const std::string& name, DType dtype, T value) {
  NamedTensor tensor{name, dtype, {}, std::vector<std::byte>(sizeof(T))};
  std::memcpy(tensor.data.data(), &value, sizeof(T));
  return tensor;
}

const std::vector<TensorShape> kWanted{
    {"first_conv.conv.weight", {4, 3, 1, 1}},
    {"first_conv.bn.num_batches_tracked", {}},
    {"blocks.1.conv.depth_conv.conv.5to3_matrix", {2, 2}},
    {"blocks.1.conv.depth_conv.conv.conv.weight", {4, 1, 3, 3}},
    {"blocks.1.conv.depth_conv.bn.bn.weight", {4}},
    {"classifier.linear.weight", {2, 4}},
};

/// The same network as its first generation, static and at full size, spells it.
TensorFile first_generation() {
  TensorFile file;
  file.tensors = {floats("classifier.linear.linear.weight", {2, 4}, 0.25F),
                  floats("first_conv.conv.weight", {4, 3, 1, 1}),
                  floats("blocks.1.mobile_inverted_conv.depth_conv.conv.weight", {4, 1, 3, 3}),
                  floats("blocks.1.mobile_inverted_conv.depth_conv.bn.weight", {4})};
  return file;
}

std::string refusal(const TensorFile& file) {
  try {
    static_cast<void>(formats::match_reference_state(file, kWanted, "file"));
  } catch (const DataError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("the spellings of a tensor have one name", "[formats][unit]") {
  const std::vector<std::pair<std::string, std::vector<std::string>>> names{
      {"blocks.3.conv.inverted_bottleneck.conv.weight",
       {"blocks.3.conv.inverted_bottleneck.conv.conv.weight",
        "blocks.3.mobile_inverted_conv.inverted_bottleneck.conv.conv.weight",
        "blocks.3.mobile_inverted_conv.inverted_bottleneck.conv.weight"}},
      {"blocks.3.conv.depth_conv.bn.running_var",
       {"blocks.3.mobile_inverted_conv.depth_conv.bn.bn.running_var"}},
      {"blocks.3.conv.depth_conv.conv.7to5_matrix",
       {"blocks.3.mobile_inverted_conv.depth_conv.conv.7to5_matrix"}},
      {"classifier.linear.bias", {"classifier.linear.linear.bias"}},
      {"input_stem.1.conv.weight", {"input_stem.1.conv.conv.conv.weight"}},
      {"input_stem.1.conv.bn.weight", {"input_stem.1.conv.bn.bn.weight"}},
      {"blocks.0.downsample.conv.weight", {"blocks.0.downsample.conv.conv.weight"}},
      {"first_conv.bn.weight", {"first_conv.bn.bn.weight"}},
  };
  for (const auto& [name, spellings] : names) {
    CHECK(formats::reference_name(name) == name);
    for (const std::string& spelling : spellings) CHECK(formats::reference_name(spelling) == name);
  }
}

TEST_CASE("a state dict of either generation becomes the wanted one", "[formats][unit]") {
  const auto matched = formats::match_reference_state(first_generation(), kWanted, "file");
  REQUIRE(matched.tensors.size() == kWanted.size());
  for (std::size_t i = 0; i < kWanted.size(); ++i) {
    CHECK(matched.tensors[i].name == kWanted[i].name);
    CHECK((matched.tensors[i].shape == kWanted[i].shape));
  }
  CHECK(matched.tensors[5].floats()[0] == 0.25F);
  // What the first generation does not have stays neutral.
  CHECK((matched.filled == std::vector<std::string>{"first_conv.bn.num_batches_tracked",
                                                    "blocks.1.conv.depth_conv.conv.5to3_matrix"}));
  CHECK((matched.tensors[1].dtype == DType::kInt64));
  CHECK((std::vector<float>(matched.tensors[2].floats().begin(),
                            matched.tensors[2].floats().end()) == std::vector<float>{1, 0, 0, 1}));
}

TEST_CASE("element types are converted and large counters kept", "[formats][unit]") {
  TensorFile file = first_generation();
  NamedTensor wide{"first_conv.conv.weight", DType::kFloat64, {4, 3, 1, 1}, {}};
  const std::vector<double> values(12, 0.125);
  const auto bytes = std::as_bytes(std::span(values));
  wide.data.assign(bytes.begin(), bytes.end());
  file.tensors[1] = wide;
  constexpr std::int64_t kCount = (std::int64_t{1} << 40) + 1;
  file.tensors.push_back(scalar("first_conv.bn.num_batches_tracked", DType::kInt64, kCount));
  const auto matched = formats::match_reference_state(file, kWanted, "file");
  CHECK(matched.tensors[0].dtype == DType::kFloat32);
  CHECK(matched.tensors[0].floats()[11] == 0.125F);
  std::int64_t count = 0;
  std::memcpy(&count, matched.tensors[1].data.data(), sizeof(count));
  CHECK(count == kCount);
  CHECK(matched.filled.size() == 1);

  file.tensors.back() =
      scalar("first_conv.bn.num_batches_tracked", DType::kInt16, std::int16_t{-3});
  const auto small = formats::match_reference_state(file, kWanted, "file");
  std::memcpy(&count, small.tensors[1].data.data(), sizeof(count));
  CHECK(count == -3);
}

TEST_CASE("a negative variance is refused", "[formats][error]") {
  const std::vector<TensorShape> wanted{{"first_conv.bn.bn.running_var", {2}}};
  TensorFile file;
  file.tensors = {floats("first_conv.bn.running_var", {2}, -0.5F)};
  CHECK_THROWS_WITH(formats::match_reference_state(file, wanted, "file"),
                    "file: 0 of 1 tensors missing, 0 extra, 1 wrong: 'first_conv.bn.running_var' "
                    "holds a negative variance");
  file.tensors = {floats("first_conv.bn.running_var", {2}, 0.0F)};
  CHECK(formats::match_reference_state(file, wanted, "file").tensors.size() == 1);
}

TEST_CASE("everything that does not fit is listed at once", "[formats][error]") {
  TensorFile file = first_generation();
  file.tensors[0] = floats("classifier.linear.weight", {3, 4});
  file.tensors[2] = floats("blocks.1.conv.depth_conv.conv.weight", {4, 1, 3, 3}, NAN);
  file.tensors.erase(file.tensors.begin() + 3);
  file.tensors.push_back(floats("blocks.2.conv.depth_conv.bn.weight", {4}));
  file.tensors.push_back(floats("first_conv.bn.num_batches_tracked", {}));
  CHECK(refusal(file) ==
        "file: 1 of 6 tensors missing, 1 extra, 3 wrong: 'first_conv.bn.num_batches_tracked' is "
        "F32, expected integers; 'blocks.1.conv.depth_conv.conv.weight' holds NaN or infinity; "
        "'blocks.1.conv.depth_conv.bn.bn.weight' is missing; 'classifier.linear.weight' has shape "
        "[3, 4], expected [2, 4]; 'blocks.2.conv.depth_conv.bn.weight' does not belong to this "
        "network");
}

TEST_CASE("kernel matrices are neutral only where the file has none", "[formats][error]") {
  std::vector<TensorShape> wanted = kWanted;
  wanted.push_back({"blocks.1.conv.depth_conv.conv.7to5_matrix", {2, 2}});
  TensorFile file = first_generation();
  CHECK(formats::match_reference_state(file, wanted, "file").filled.size() == 3);
  file.tensors.push_back(floats("blocks.1.conv.depth_conv.conv.5to3_matrix", {2, 2}));
  CHECK_THROWS_WITH(formats::match_reference_state(file, wanted, "file"),
                    "file: 1 of 7 tensors missing, 0 extra, 0 wrong: "
                    "'blocks.1.conv.depth_conv.conv.7to5_matrix' is missing");
}

TEST_CASE("two spellings of one tensor are refused", "[formats][error]") {
  TensorFile file = first_generation();
  file.tensors.push_back(floats("classifier.linear.weight", {2, 4}));
  CHECK(refusal(file) ==
        "file: 0 of 6 tensors missing, 0 extra, 1 wrong: 'classifier.linear.linear.weight' and "
        "'classifier.linear.weight' are the same tensor");
}

TEST_CASE("integers where weights belong are refused", "[formats][error]") {
  TensorFile file = first_generation();
  file.tensors[3] = {
      "blocks.1.conv.depth_conv.bn.weight", DType::kInt32, {4}, std::vector<std::byte>(16)};
  CHECK(refusal(file) ==
        "file: 0 of 6 tensors missing, 0 extra, 1 wrong: 'blocks.1.conv.depth_conv.bn.weight' is "
        "I32, expected a floating type");
}
