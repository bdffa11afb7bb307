#include "formats/network_description.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "space/costs.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <sstream>

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Equals;
using namespace omnifit;
using namespace omnifit::formats;
using nlohmann::json;

namespace {

namespace fs = std::filesystem;

const fs::path kShared = OMNIFIT_SHARED_DATA;
const space::TaskIo kImageNet{.in_channels = 3, .num_classes = 1000};

/// A network that the reference's authors published, with what they say about it.
struct Released {
  std::string folder;
  std::string space;
  double width_mult = 1.0;
  int resolution_px = 0;
  std::int64_t macs = 0;
  std::int64_t params = 0;
  std::vector<std::vector<int>> stages;  ///< per block 10 times the kernel size plus the ratio
};

std::vector<Released> released_networks() {
  const auto file = fs::path(OMNIFIT_SOURCE_DIR) / "tests/formats/golden/released_networks.csv";
  std::istringstream lines(core::read_text_file(file));
  std::vector<Released> networks;
  std::string line;
  std::getline(lines, line);  // the header
  while (std::getline(lines, line)) {
    std::vector<std::string> cells;
    std::istringstream row(line);
    for (std::string cell; std::getline(row, cell, ',');) cells.push_back(cell);
    Released& network = networks.emplace_back();
    network = {cells.at(0),
               cells.at(1),
               std::stod(cells.at(2)),
               std::stoi(cells.at(3)),
               std::stoll(cells.at(4)),
               std::stoll(cells.at(5)),
               {}};
    std::istringstream stages(cells.at(6));
    for (std::string stage; stages >> stage;) {
      auto& blocks = network.stages.emplace_back();
      std::istringstream stage_blocks(stage);
      for (std::string block; std::getline(stage_blocks, block, '-');)
        blocks.push_back(std::stoi(block));
    }
  }
  return networks;
}

/// The space that a published network was taken from, at the network's resolution.
space::SearchSpace space_of(const Released& network) {
  return network.space == "ofa_mbv3"
             ? test::ofa_mbv3(network.width_mult, {network.resolution_px})
             : test::ofa_proxyless(network.width_mult, {network.resolution_px});
}

/// Kernel sizes and ratios of an arch in the writing of the table.
std::vector<std::vector<int>> stages_of(const space::SearchSpace& space, const space::Arch& arch) {
  std::vector<std::vector<int>> stages;
  for (int stage = 1; stage < static_cast<int>(space.stages().size()); ++stage) {
    auto& blocks = stages.emplace_back();
    for (int block = 0; block < space::depth(space, arch, stage); ++block) {
      const double kernel = axis_value(space, arch, space::Axis::kKernelSize, stage, block);
      const double ratio = axis_value(space, arch, space::Axis::kExpandRatio, stage, block);
      blocks.push_back(static_cast<int>(10 * kernel + ratio));
    }
  }
  return stages;
}

/// Renames and fills in by the reference's defaults what the current dialect writes otherwise, so
/// that texts of the same meaning become equal.
json current_dialect(json net) {
  net.erase("resolution");
  net["bn"]["ws_eps"] = nullptr;
  for (const char* name : {"first_conv", "final_expand_layer", "feature_mix_layer"}) {
    if (net.contains(name)) net[name]["use_se"] = false;
  }
  for (json& block : net["blocks"]) {
    block["name"] = "ResidualBlock";
    if (block.contains("mobile_inverted_conv")) {
      block["conv"] = block["mobile_inverted_conv"];
      block.erase("mobile_inverted_conv");
    }
    if (block["shortcut"].is_object()) {
      for (const char* key : {"in_channels", "out_channels"}) {
        if (block["shortcut"][key].is_array()) block["shortcut"][key] = block["shortcut"][key][0];
      }
    }
    json& conv = block["conv"];
    if (conv["name"] == "ZeroLayer") {
      conv.erase("stride");
      continue;
    }
    conv["name"] = "MBConvLayer";
    conv["groups"] = nullptr;
    if (!conv.contains("act_func")) conv["act_func"] = "relu6";
    if (!conv.contains("use_se")) conv["use_se"] = false;
    if (conv["expand_ratio"] == 1) {
      conv["mid_channels"] = nullptr;
    } else if (!conv.contains("mid_channels")) {
      conv["mid_channels"] = conv["in_channels"].get<int>() * conv["expand_ratio"].get<int>();
    }
  }
  return net;
}

/// Files of every dialect that there are.
std::vector<fs::path> description_files() {
  std::vector<fs::path> files;
  for (const Released& network : released_networks())
    files.push_back(kShared / "ofa_released/specialized" / network.folder / "net.config");
  files.push_back(kShared / "ofa_released/proxyless_mobile.config");
  files.push_back(kShared / "pretrained/proxyless-w0.25-r112_imagenet" /
                  "proxyless-w0.25-r112_imagenet.json");
  return files;
}

}  // namespace

TEST_CASE("the published networks have their published costs and lie in their spaces",
          "[formats][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released/specialized");
  const std::vector<Released> networks = released_networks();
  CHECK(networks.size() == 50);
  for (const Released& network : networks) {
    CAPTURE(network.folder);
    const NetworkDescription description =
        read_network_description(kShared / "ofa_released/specialized" / network.folder);
    const bool mobilenet = network.space == "ofa_mbv3";
    CHECK(description.family ==
          (mobilenet ? NetworkFamily::kMobileNetV3 : NetworkFamily::kProxylessNas));
    CHECK(description.plan.io == kImageNet);
    CHECK(description.plan.resolution_px == network.resolution_px);
    CHECK(space::macs(description.plan) == network.macs);
    CHECK(space::params_count(description.plan) == network.params);
    CHECK(description.batch_norm.eps == (mobilenet ? 1e-5 : 1e-3));
    CHECK(description.dropout_prob == (!mobilenet ? 0.0 : network.width_mult == 1.0 ? 0.1 : 0.2));

    const space::SearchSpace space = space_of(network);
    const auto found = find_arch(space, description);
    REQUIRE(std::holds_alternative<space::Arch>(found));
    CHECK(stages_of(space, std::get<space::Arch>(found)) == network.stages);
  }
}

TEST_CASE("what is written means what was read", "[formats][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released/specialized");
  for (const fs::path& file : description_files()) {
    CAPTURE(file.string());
    const NetworkDescription description = read_network_description(file, 224);
    const std::string written = network_description_json(description);
    CHECK(parse_network_description(written, "written", 224) == description);
    CHECK(json::parse(written) == current_dialect(json::parse(core::read_text_file(file))));
  }
}

TEST_CASE("random subnets come back from their descriptions", "[formats][property]") {
  const space::SearchSpace space =
      GENERATE(test::ofa_mbv3(1.0, {128, 224}), test::ofa_proxyless(1.3, {160}),
               test::shipped_space("tiny"), test::shipped_space("mbv3_32px"));
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(space.name(), seed);
    core::Rng rng = test::test_rng(seed);
    const space::Arch arch = space::sample(space, rng);
    const NetworkDescription description = describe(space, arch, {1, 7});
    const NetworkDescription read = parse_network_description(
        network_description_json(description), "written", space::resolution_px(space, arch));
    CHECK(read == description);
    const auto found = find_arch(space, read);
    REQUIRE(std::holds_alternative<space::Arch>(found));
    CHECK(std::get<space::Arch>(found) == arch);
  }
}

TEST_CASE("blocks that do nothing have no unit but keep their number", "[formats][unit]") {
  OMNIFIT_REQUIRE_DATA("pretrained");
  const NetworkDescription description = read_network_description(
      kShared / "pretrained/proxyless-w0.25-r112_imagenet/proxyless-w0.25-r112_imagenet.json");
  CHECK(description.plan.resolution_px == 112);
  CHECK(description.batch_norm.eps == 1e-3);
  const std::vector<space::Slot> found = slots(description);
  REQUIRE(found.size() == description.plan.units.size());
  REQUIRE(found.size() == 24);
  CHECK_THAT(found[0].name, Equals("first_conv"));
  CHECK_THAT(found[3].name, Equals("blocks.2"));
  CHECK_THAT(found[4].name, Equals("blocks.5"));
  CHECK_THAT(found[20].name, Equals("blocks.21"));
  CHECK_THAT(found[21].name, Equals("feature_mix_layer"));
  CHECK_THAT(found[22].name, Equals("pool"));
  CHECK_THAT(found[23].name, Equals("classifier"));
  CHECK((found[4].largest == description.plan.units[4].spec));
  CHECK(found[4].kernel_sizes == std::vector<int>{7});
  CHECK(found[4].mid_channels == std::vector<int>{24});
  CHECK_FALSE(found[4].elastic);
  CHECK(description.plan.units[4].slot == 4);
}

TEST_CASE("the resolution comes from the caller, the text, or run.config", "[formats][unit]") {
  const test::TempDir folder;
  const space::SearchSpace space = test::shipped_space("tiny");
  const std::string text =
      network_description_json(describe(space, space::largest(space), {3, 10}));
  core::write_file_atomically(folder.path() / "net.config", text);
  CHECK_THROWS_WITH(read_network_description(folder.path()),
                    Equals((folder.path() / "net.config").string() +
                           ": the input's resolution is not given, not a key of the file, and not "
                           "in a run.config beside it"));
  CHECK_THROWS_WITH(parse_network_description(text, "here"),
                    Equals("here: the input's resolution is neither given nor a key of the file"));
  CHECK_THROWS_WITH(read_network_description(folder.path(), 5000),
                    Equals("resolution: found 5000, allowed: 1 to 2048"));

  core::write_file_atomically(folder.path() / "run.config", R"({"image_size": 20, "other": 1})");
  CHECK(read_network_description(folder.path()).plan.resolution_px == 20);
  CHECK(read_network_description(folder.path() / "net.config").plan.resolution_px == 20);

  json with_own = json::parse(text);
  with_own["resolution"] = 24;
  core::write_file_atomically(folder.path() / "net.config", with_own.dump());
  CHECK(read_network_description(folder.path()).plan.resolution_px == 24);
  CHECK(read_network_description(folder.path(), 28).plan.resolution_px == 28);

  core::write_file_atomically(folder.path() / "run.config", R"({"image_size": 2})");
  core::write_file_atomically(folder.path() / "net.config", text);
  CHECK_THROWS_WITH(
      read_network_description(folder.path()),
      ContainsSubstring("run.config: image_size is 2 px, too small for the strides, whose product "
                        "is 4 here"));
  core::write_file_atomically(folder.path() / "run.config", R"({"image_size": "224"})");
  CHECK_THROWS_WITH(
      read_network_description(folder.path()),
      ContainsSubstring("run.config: image_size: found '224', allowed: an integer in [1, 2048]"));
  core::write_file_atomically(folder.path() / "run.config", "{}");
  CHECK_THROWS_WITH(read_network_description(folder.path()),
                    ContainsSubstring("run.config: key 'image_size' is missing"));
}

TEST_CASE("an expand convolution that does not widen is kept", "[formats][unit]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const space::Arch arch = space::smallest(space);
  const NetworkDescription description = describe(space, arch, {3, 10});
  const json written = json::parse(network_description_json(description));
  // A ratio of 1 would tell the reference that there is none.
  const json& conv = written["blocks"][1]["conv"];
  CHECK(conv["expand_ratio"].is_null());
  CHECK(conv["mid_channels"] == 8);
}

TEST_CASE("a subnet with another batch norm is not of the space", "[formats][unit]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  NetworkDescription description = describe(space, space::largest(space), {3, 10});
  description.batch_norm.eps = 1e-3;
  const auto found = find_arch(space, description);
  REQUIRE(std::holds_alternative<space::NotInSpace>(found));
  CHECK_THAT(std::get<space::NotInSpace>(found).reason,
             Equals("batch-norm eps 0.001 (the space has 1e-05)"));
}

TEST_CASE("reasons name the unit as the reference does", "[formats][unit]") {
  OMNIFIT_REQUIRE_DATA("ofa_released");
  const NetworkDescription description =
      read_network_description(kShared / "ofa_released/proxyless_mobile.config", 224);
  const auto found = find_arch(test::ofa_proxyless(1.0, {224}), description);
  REQUIRE(std::holds_alternative<space::NotInSpace>(found));
  CHECK_THAT(std::get<space::NotInSpace>(found).reason,
             Equals("blocks.1: out=32 (the space has 24)"));
}

TEST_CASE("units that the reference cannot have are named", "[formats][error]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const NetworkDescription good = describe(space, space::largest(space), {3, 10});
  const auto writing = [](const NetworkDescription& description) {
    return [description] { return network_description_json(description); };
  };
  SECTION("squeeze-excite of another width") {
    NetworkDescription bad = good;
    std::get<space::MbConvSpec>(bad.plan.units[4].spec).se_channels = 3;
    CHECK_THROWS_WITH(writing(bad)(),
                      Equals("blocks.3: the reference cannot have it: squeeze-excite of 3 channels "
                             "on 24, allowed: 8"));
  }
  SECTION("no stem") {
    NetworkDescription bad = good;
    bad.plan.units.erase(bad.plan.units.begin());
    bad.unit_names.erase(bad.unit_names.begin());
    CHECK_THROWS_WITH(writing(bad)(), ContainsSubstring("no network of the reference has unit 0, "
                                                        "'mbconv in=8 mid=8 out=8"));
  }
  SECTION("no classifier") {
    NetworkDescription bad = good;
    bad.plan.units.pop_back();
    bad.unit_names.pop_back();
    CHECK_THROWS_WITH(writing(bad)(),
                      Equals("no network of the reference ends after unit 8, where the reference "
                             "has classifier (linear)"));
  }
  SECTION("a space with a longer head") {
    const space::SearchSpace other = test::space_from(
        "name: long\nresolutions: [16]\n"
        "stem: {name: first_conv, width: 8, kernel_size: 3, stride: 2, act: relu}\n"
        "stages:\n  - {width: 8, act: relu, depth: [1], kernel_size: [3], expand_ratio: [1]}\n"
        "head:\n  - {name: a, width: 8, act: relu}\n  - {name: b, width: 8, act: relu}\n");
    CHECK_THROWS_WITH(
        describe(other, space::largest(other), {3, 10}),
        ContainsSubstring("no network of the reference has unit 3, 'conv in=8 out=8 k=1 s=1 px=8 "
                          "act=relu bn=1 bias=0', where the reference has pool (pool)"));
  }
}
