#include "space/search_space.hpp"

#include "space/arch.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <set>

namespace omnifit::space {
namespace {

using test::ofa_mbv3;
using test::shipped_space;
using test::space_from;

TEST_CASE("channels are rounded as the reference rounds them", "[space][golden]") {
  const std::vector<std::pair<double, int>> examples{
      {19.2, 24}, {28.8, 32}, {134.4, 136}, {18, 24}, {11, 16}, {3, 8},
      {60, 64},   {36, 40},   {20, 24},     {12, 16}, {16, 16}, {960 * 1.2, 1152}};
  for (const auto& [value, expected] : examples) {
    CAPTURE(value);
    CHECK(make_divisible(value) == expected);
  }
  CHECK(make_divisible(10, 4) == 12);
}

TEST_CASE("the gene table lists resolution, then depth and blocks stage by stage",
          "[space][unit]") {
  const SearchSpace space = shipped_space("tiny");
  std::vector<std::string> names;
  for (const Gene& gene : space.genes()) names.push_back(gene_name(gene));
  CHECK(names == std::vector<std::string>{"resolution", "depth[1]", "kernel_size[1.0]",
                                          "expand_ratio[1.0]", "kernel_size[1.1]",
                                          "expand_ratio[1.1]", "kernel_size[2.0]",
                                          "expand_ratio[2.0]"});
  CHECK_FALSE(space.genes()[2].active_if.has_value());
  CHECK(space.genes()[4].active_if == ActiveIf{1, 1});
  CHECK(space.genes()[0].choices == std::vector<double>{12, 16});
}

TEST_CASE("optional blocks wait for the smallest depth that holds them", "[space][unit]") {
  const SearchSpace space = space_from(R"(
name: gaps
resolutions: [32]
stages:
  - {width: 8, depth: [1, 2, 5], kernel_size: [3, 5]}
)");
  std::vector<std::optional<ActiveIf>> found;
  for (int block = 0; block < 5; ++block) {
    const auto gene = space.find_gene(Axis::kKernelSize, 0, block);
    REQUIRE(gene.has_value());
    found.push_back(space.genes()[static_cast<std::size_t>(*gene)].active_if);
  }
  const ActiveIf second{0, 1};
  const ActiveIf third{0, 2};
  CHECK(found == std::vector<std::optional<ActiveIf>>{std::nullopt, second, third, third, third});
}

TEST_CASE("genes are found by axis and position", "[space][unit]") {
  const SearchSpace space = shipped_space("tiny");
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    const Gene& gene = space.genes()[g];
    CHECK(space.find_gene(gene.axis, gene.stage, gene.block) == static_cast<int>(g));
  }
  CHECK_FALSE(space.find_gene(Axis::kDepth, 0).has_value());
  CHECK_FALSE(space.find_gene(Axis::kKernelSize, 0, 0).has_value());
  CHECK_FALSE(space.find_gene(Axis::kKernelSize, 1, 2).has_value());
  CHECK_FALSE(space.find_gene(Axis::kKernelSize, 1).has_value());
  CHECK_FALSE(space.find_gene(Axis::kDepth, 9).has_value());
  CHECK_FALSE(space.find_gene(Axis::kResolution, 1).has_value());
  CHECK_FALSE(space.find_gene(Axis::kWidthMult).has_value());
}

TEST_CASE("the canonical form reads back as the same space", "[space][property]") {
  const std::vector<SearchSpace> spaces{shipped_space("tiny"),
                                        shipped_space("mbv3_32px"),
                                        ofa_mbv3(1.2, {128, 224}),
                                        test::ofa_proxyless(1.3, {224}),
                                        shipped_space("ofa_proxyless_google"),
                                        shipped_space("ofa_resnet50")};
  std::set<std::uint64_t> fingerprints;
  for (const SearchSpace& space : spaces) {
    const SearchSpace again = space_from(space.canonical_yaml());
    CHECK(again.canonical_yaml() == space.canonical_yaml());
    CHECK(again.fingerprint() == space.fingerprint());
    fingerprints.insert(space.fingerprint());
  }
  CHECK(fingerprints.size() == spaces.size());
}

TEST_CASE("files that mean the same space share a fingerprint", "[space][property]") {
  const SearchSpace short_form =
      space_from("name: a\nresolutions: [16]\nstages:\n  - {width: 8}\n");
  const SearchSpace long_form = space_from(R"(
# The defaults, written out in another order.
stages:
  - {expand_ratio: [1.0], kernel_size: [3], depth: [1], stride: 1, act: relu, width: 8}
resolutions: [ 16 ]
name: "a"
version: 1
)");
  const SearchSpace other = space_from("name: a\nresolutions: [16]\nstages:\n  - {width: 16}\n");
  CHECK(short_form.fingerprint() == long_form.fingerprint());
  CHECK(short_form.fingerprint() != other.fingerprint());
}

TEST_CASE("facts of a file arrive in the space", "[space][unit]") {
  const SearchSpace space = space_from(R"(
name: facts
version: 3
resolutions: [16, 24]
width_mult: 1.5
batch_norm: {momentum: 0.2, eps: 0.001}
dropout: 0.25
stem: {name: stem, width: 24, kernel_size: 5, stride: 2, act: relu6}
stages:
  - {width: 32, stride: 2, act: h_swish, squeeze_excite: true, first_shortcut: false, depth: [1, 2], kernel_size: [3, 7], expand_ratio: [1, 2.5]}
head:
  - {name: mix, width: 48, kernel_size: 3, act: none, batch_norm: false}
)");
  CHECK(space.name() == "facts");
  CHECK(space.version() == 3);
  CHECK(space.family() == "mbconv");
  CHECK(space.resolutions() == std::vector<int>{16, 24});
  CHECK(space.width_mult() == 1.5);
  CHECK(space.batch_norm().momentum == 0.2);
  CHECK(space.batch_norm().eps == 0.001);
  CHECK(space.dropout_prob() == 0.25);
  CHECK(space.stem().name == "stem");
  CHECK(space.stem().width == 24);
  CHECK(space.stem().kernel_size == 5);
  CHECK(space.stem().stride == 2);
  CHECK(space.stem().act == Act::kRelu6);
  const StageConfig& stage = space.stages().at(0);
  CHECK(stage.width == 32);
  CHECK(stage.stride == 2);
  CHECK(stage.act == Act::kHSwish);
  CHECK(stage.squeeze_excite);
  CHECK_FALSE(stage.first_shortcut);
  CHECK(stage.depths == std::vector<int>{1, 2});
  CHECK(stage.kernel_sizes == std::vector<int>{3, 7});
  CHECK(stage.expand_ratios == std::vector<double>{1, 2.5});
  const ConvConfig& head = space.head().at(0);
  CHECK(head.name == "mix");
  CHECK(head.width == 48);
  CHECK(head.kernel_size == 3);
  CHECK(head.act == Act::kNone);
  CHECK_FALSE(head.batch_norm);
  CHECK_FALSE(head.after_pool);
}

TEST_CASE("a bottleneck space has genes of its stem and of its widths", "[space][unit]") {
  const SearchSpace space = shipped_space("ofa_resnet50");
  CHECK(space.family() == "bottleneck");
  CHECK(space.width_mults() == std::vector<double>{0.65, 0.8, 1.0});
  CHECK(space.width_mult() == 1.0);
  CHECK(space.stem_depths() == std::vector<int>{0, 1});
  CHECK(space.stages().at(2).base_depth == 4);
  std::vector<std::string> names;
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    const Gene& gene = space.genes()[g];
    CHECK(space.find_gene(gene.axis, gene.stage, gene.block) == static_cast<int>(g));
    if (names.size() < 8) names.push_back(gene_name(gene));
  }
  CHECK(names == std::vector<std::string>{"resolution", "depth[stem]", "width_mult[stem.0]",
                                          "width_mult[stem.1]", "depth[0]", "width_mult[0]",
                                          "expand_ratio[0.0]", "expand_ratio[0.1]"});
  CHECK(space.genes().size() == 30);
  CHECK_FALSE(space.find_gene(Axis::kWidthMult, kStemStage, 2).has_value());
  CHECK_FALSE(space.find_gene(Axis::kWidthMult, 0, 0).has_value());
  CHECK_FALSE(space.find_gene(Axis::kExpandRatio, kStemStage, 0).has_value());
}

TEST_CASE("fingerprints of spaces never change", "[space][golden]") {
  CHECK(shipped_space("tiny").fingerprint() == 0xf19724633a687e41ULL);
  CHECK(shipped_space("mbv3_32px").fingerprint() == 0xc22445d9db851848ULL);
}

TEST_CASE("axes have names", "[space][unit]") {
  CHECK(axis_name(Axis::kResolution) == "resolution");
  CHECK(axis_name(Axis::kDepth) == "depth");
  CHECK(axis_name(Axis::kKernelSize) == "kernel_size");
  CHECK(axis_name(Axis::kExpandRatio) == "expand_ratio");
  CHECK(axis_name(Axis::kWidthMult) == "width_mult");
}

}  // namespace
}  // namespace omnifit::space
