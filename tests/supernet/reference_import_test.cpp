#include "supernet/reference_import.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "formats/network_file.hpp"
#include "formats/reference_names.hpp"
#include "formats/torch_file.hpp"
#include "supernet/slot_naming.hpp"
#include "supernet/static_network.hpp"
#include "supernet/tensor_conversion.hpp"
#include "supernet/trainer.hpp"
#include "tests/formats/torch_file_builder.hpp"
#include "tests/supernet/network_support.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstring>
#include <regex>
#include <set>

using namespace omnifit;
using namespace omnifit::supernet;
using Catch::Matchers::ContainsSubstring;

namespace {

Supernet disturbed(const space::SearchSpace& space, const space::TaskIo& io) {
  Supernet network(space, io, 3);
  test::disturb(network);
  return network;
}

formats::TensorFile parse(const test::Bytes& file) {
  return formats::parse_torch_file("file", test::as_bytes(file));
}

std::string same(const std::string& name) { return name; }

/// As the first generation named it.
std::string first_generation(const std::string& name) {
  static const std::regex block(R"(^(blocks\.\d+)\.conv\.)");
  return std::regex_replace(name, block, "$1.mobile_inverted_conv.");
}

/// As a static network at full size: no doubled parts, no kernel matrices.
std::string static_name(const std::string& name) {
  if (name.ends_with("_matrix")) return "";
  static const std::regex doubled(R"(\.(conv|bn)\.\1\.)");
  return std::regex_replace(name, doubled, ".$1.");
}

void check_equal(const Supernet& found, const Supernet& expected) {
  REQUIRE(found.state().size() == expected.state().size());
  for (std::size_t i = 0; i < found.state().size(); ++i) {
    CAPTURE(expected.state()[i].first);
    CHECK(found.state()[i].first == expected.state()[i].first);
    CHECK(at::equal(found.state()[i].second, expected.state()[i].second));
  }
}

at::Tensor read_floats(const std::filesystem::path& file, std::vector<std::int64_t> shape) {
  const auto bytes = core::read_file(file);
  at::Tensor tensor = at::empty(shape, at::kFloat);
  REQUIRE(tensor.nbytes() == bytes.size());
  std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

}  // namespace

TEST_CASE("a supernet comes back from either generation's names", "[supernet][unit]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const Supernet network = disturbed(space, {1, 7});
  for (const auto& rename : {same, first_generation}) {
    const auto file = parse(test::legacy_state_dict(network.export_state(), rename));
    const ImportedSupernet imported = import_reference_supernet(file, space, "file");
    CHECK(imported.filled.empty());
    CHECK(imported.network.io() == space::TaskIo{1, 7});
    check_equal(imported.network, network);
  }
}

TEST_CASE("no two tensors of a space share a name once spellings are equal", "[supernet][unit]") {
  const std::filesystem::path folder = std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space";
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    CAPTURE(file.path().string());
    const space::SearchSpace space = space::SearchSpace::load(file.path());
    if (space.family_kind() == space::Family::kTabular) continue;  // has no tensors
    std::set<std::string> names;
    for (const space::Slot& slot : space::slots(space, {3, 1000})) {
      for (const TensorEntry& entry : tensor_entries(slot)) {
        CHECK(names.insert(formats::reference_name(entry.name)).second);
        CHECK(formats::reference_name(first_generation(entry.name)) ==
              formats::reference_name(entry.name));
      }
    }
    CHECK(names.size() > 10);
  }
}

TEST_CASE("a static network at full size becomes a supernet with neutral matrices",
          "[supernet][unit]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const Supernet network = disturbed(space, {3, 4});
  const auto file = parse(test::legacy_state_dict(network.export_state(), static_name));
  const ImportedSupernet imported = import_reference_supernet(file, space, "file");
  REQUIRE_FALSE(imported.filled.empty());
  const space::NetworkPlan plan = space::lower(space, space::largest(space), {3, 4});
  const at::Tensor x = test::random_images(2, 3, plan.resolution_px, 5);
  CHECK(at::equal(imported.network.forward_train(x, plan), network.forward_train(x, plan)));
  for (const std::string& name : imported.filled) CHECK(name.ends_with("_matrix"));
}

TEST_CASE("an imported checkpoint is one like any other", "[supernet][unit]") {
  const test::TempDir folder;
  const space::SearchSpace space = test::shipped_space("tiny");
  const Supernet network = disturbed(space, {1, 4});
  const auto file = folder / "imported.safetensors";
  write_imported_checkpoint(file, network, space, {"0123"});
  check_equal(load_supernet(file, space, {1, 4}), network);
  const auto metadata = formats::read_tensor_file(file).metadata;
  CHECK(metadata.at("phase") == "imported");
  CHECK(metadata.at("input_hash") == "0123");
  CHECK_THROWS_WITH(load_supernet(file, space, {1, 5}), ContainsSubstring("4 classes"));
}

TEST_CASE("a state dict of another network is refused with everything that differs",
          "[supernet][error]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const Supernet network = disturbed(space, {1, 4});
  formats::TensorFile state = network.export_state();
  const std::string removed = state.tensors[3].name;
  state.tensors.erase(state.tensors.begin() + 3);
  state.tensors.push_back(formats::NamedTensor::from_floats("stranger", {1}, std::vector{1.0F}));
  state.tensors[0].shape = {1, 1};
  state.tensors[0].data.resize(sizeof(float));
  CHECK_THROWS_WITH(import_reference_supernet(state, space, "file"),
                    ContainsSubstring("file: does not fit the space 'tiny': 1 of ") &&
                        ContainsSubstring("tensors missing, 1 extra, 1 wrong: ") &&
                        ContainsSubstring("'first_conv.conv.weight' has shape [1, 1], expected ") &&
                        ContainsSubstring("'" + removed + "' is missing") &&
                        ContainsSubstring("'stranger' does not belong to this network"));
}

TEST_CASE("the pretrained ImageNet network gives its stored logits", "[supernet][parity]") {
  const std::string data = "pretrained/proxyless-w0.25-r112_imagenet";
  OMNIFIT_REQUIRE_DATA(data);
  const std::filesystem::path path = std::filesystem::path(OMNIFIT_SHARED_DATA) / data;
  const test::TempDir folder;
  const auto description = formats::read_network_description(
      path / "proxyless-w0.25-r112_imagenet.json", /*resolution_px=*/112);
  const auto state = formats::read_torch_file(path / "proxyless-w0.25-r112_imagenet.pth");
  const formats::FoldedNetwork network = import_reference_network(state, description, "file");

  // Through the file that users keep.
  const auto file = folder / "network.safetensors";
  formats::write_network_file(file, network, {{"source", "proxyless"}});
  const formats::NetworkFile read = formats::read_network_file(file);
  CHECK((read.network.plan == network.plan));
  CHECK((read.notes == std::map<std::string, std::string>{{"source", "proxyless"}}));

  const at::Tensor x = read_floats(path / "input_8x3x112x112.f32le.bin", {8, 3, 112, 112});
  const at::Tensor expected = read_floats(path / "logits_8x1000.f32le.bin", {8, 1000});
  const StaticNetwork runnable(read.network);
  CHECK(test::relative_difference(runnable.forward(x), expected) < 1e-4);
  CHECK(test::relative_difference(runnable.forward(x, ops::Kernels::kFused), expected) < 1e-4);
  CHECK((runnable.forward(x) - expected).abs().max().item<double>() < 1e-4);
}

TEST_CASE("weights of another static network are refused", "[supernet][error]") {
  const std::string data = "pretrained/proxyless-w0.25-r112_imagenet";
  OMNIFIT_REQUIRE_DATA(data);
  const std::filesystem::path path = std::filesystem::path(OMNIFIT_SHARED_DATA) / data;
  const auto description = formats::read_network_description(
      path / "proxyless-w0.25-r112_imagenet.json", /*resolution_px=*/112);
  auto state = formats::read_torch_file(path / "proxyless-w0.25-r112_imagenet.pth");
  const std::string removed = state.tensors[0].name;
  state.tensors.erase(state.tensors.begin());
  CHECK_THROWS_WITH(import_reference_network(state, description, "file"),
                    ContainsSubstring("file: does not fit the description: 1 of ") &&
                        ContainsSubstring("'" + removed + "' is missing"));
}
