#include "formats/network_file.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "tests/formats/random_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;

namespace {

formats::FoldedNetwork sample_network(std::uint64_t key) {
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest, {key});
  space::NetworkPlan plan = test::random_plan(rng);
  return test::random_network(std::move(plan), rng);
}

}  // namespace

TEST_CASE("a network file gives back its network", "[formats][property]") {
  const test::TempDir folder;
  const auto file = folder / "network.safetensors";
  for (std::uint64_t key = 0; key < 20; ++key) {
    CAPTURE(key);
    const formats::FoldedNetwork network = sample_network(key);
    formats::write_network_file(file, network, {{"name", "sample"}});
    const formats::NetworkFile read = formats::read_network_file(file);
    CHECK((read.network.plan == network.plan));
    REQUIRE(read.network.tensors.size() == network.tensors.size());
    for (std::size_t i = 0; i < network.tensors.size(); ++i) {
      CHECK(read.network.tensors[i].name == network.tensors[i].name);
      CHECK((read.network.tensors[i].data == network.tensors[i].data));
    }
    CHECK((read.notes == std::map<std::string, std::string>{{"name", "sample"}}));
  }
}

TEST_CASE("files that are no network are refused", "[formats][error]") {
  const test::TempDir folder;
  const auto file = folder / "network.safetensors";
  const formats::FoldedNetwork network = sample_network(1);
  formats::write_network_file(file, network, {});
  const formats::TensorFile good = formats::read_tensor_file(file);
  const auto refusal = [&](auto change) {
    formats::TensorFile changed = good;
    change(changed);
    formats::write_tensor_file(file, changed);
    try {
      static_cast<void>(formats::read_network_file(file));
    } catch (const DataError& error) {
      const std::string text = error.what();
      REQUIRE(text.starts_with(file.string() + ": "));
      return text.substr(file.string().size() + 2);
    }
    return std::string("accepted");
  };
  CHECK(refusal([](auto&) {}) == "accepted");
  CHECK(refusal([](auto& content) { content.metadata.erase("kind"); }) ==
        "not a network file: no metadata 'kind'");
  CHECK(refusal([](auto& content) { content.metadata["kind"] = "omnifit.checkpoint/1"; }) ==
        "is a 'omnifit.checkpoint/1' file, expected 'omnifit.network/1'");
  CHECK(refusal([](auto& content) { content.metadata["num_classes"] = "0"; }) ==
        "metadata 'num_classes' is '0', expected an integer from 1 to 1000000");
  CHECK(refusal([](auto& content) { content.metadata["resolution_px"] = "12px"; }) ==
        "metadata 'resolution_px' is '12px', expected an integer from 1 to 2048");
  CHECK(refusal([](auto& content) { content.metadata["resolution_px"] = "60000"; }) ==
        "metadata 'resolution_px' is '60000', expected an integer from 1 to 2048");
  CHECK_THAT(refusal([](auto& content) { content.metadata["units"] = "conv"; }),
             ContainsSubstring("unit 0: layer spec 'conv'"));
  CHECK_THAT(refusal([](auto& content) { content.metadata["num_classes"] = "77"; }),
             ContainsSubstring("folded network: the network gives"));
  CHECK_THAT(refusal([](auto& content) { content.tensors.pop_back(); }),
             ContainsSubstring("folded network: 'units.") && ContainsSubstring("is missing"));
  CHECK_THROWS_WITH(formats::write_network_file(file, network, {{"units", "x"}}),
                    "note 'units' is a key of the format");
  formats::FoldedNetwork broken = network;
  broken.tensors.pop_back();
  CHECK_THROWS_AS(formats::write_network_file(file, broken, {}), DataError);
}
