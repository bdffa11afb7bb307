#include "space/arch.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <set>
#include <stdexcept>
#include <type_traits>

namespace omnifit::space {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::ofa_mbv3;
using test::shipped_space;
using test::space_from;
using test::test_rng;

static_assert(std::is_trivially_copyable_v<Arch>);

TEST_CASE("archs are canonical: genes without effect are 0", "[space][unit]") {
  const SearchSpace space = shipped_space("tiny");
  const std::vector<std::uint8_t> shallow{1, 0, 1, 1, 1, 1, 1, 1};
  const std::vector<std::uint8_t> deep{1, 1, 1, 1, 1, 1, 1, 1};
  const Arch arch(space, shallow);
  CHECK(std::vector<std::uint8_t>(arch.choices().begin(), arch.choices().end()) ==
        std::vector<std::uint8_t>{1, 0, 1, 1, 0, 0, 1, 1});
  CHECK(arch == Arch(space, std::vector<std::uint8_t>{1, 0, 1, 1, 0, 1, 1, 1}));
  CHECK(arch.hash() == Arch(space, arch.choices()).hash());
  CHECK_FALSE(is_active(space, arch, 4));
  CHECK(is_active(space, Arch(space, deep), 4));
  CHECK(arch != Arch(space, deep));
}

TEST_CASE("people may type any form of an arch", "[space][unit]") {
  const SearchSpace space = shipped_space("tiny");
  core::Rng rng = test_rng(9);
  const Arch arch = sample(space, rng);
  CHECK(parse_any_arch(space, to_text(space, arch)) == arch);
  CHECK(parse_any_arch(space, to_json(space, arch)) == arch);
  CHECK(parse_any_arch(space, "largest") == largest(space));
  CHECK(parse_any_arch(space, "smallest") == smallest(space));
}

TEST_CASE("archs of a bottleneck space have text and JSON forms", "[space][golden]") {
  const SearchSpace space = shipped_space("ofa_resnet50");
  const std::string json =
      R"({"d": [2, 1, 0, 0, 2], "e": [0.2, 0.25, 0.35, 0.2, 0.2, 0.2, 0.2, 0.2, 0.25, 0.25, 0.25, )"
      R"(0.25, 0.2, 0.2, 0.35, 0.35, 0.35, 0.2], "w": [1, 0, 2, 2, 1, 0], "image_size": 160})";
  const Arch arch = parse_arch_json(space, json);
  CHECK(to_text(space, arch) ==
        "ofa_resnet50/v1 r=160 d=1,3,2,4,4 e=0p2.0p25.0p35,0p2.0p2,0p25.0p25.0p25.0p25,"
        "0p35.0p35.0p35.0p2 w=0p8.0p65,1,1,0p8,0p65");
  CHECK(parse_arch(space, to_text(space, arch)) == arch);
  CHECK(to_json(space, arch) == json);
  // The stem's residual layer runs only at the largest number.
  const Arch one = parse_arch_json(space, "{\"d\": [1" + json.substr(8));
  CHECK(one == parse_arch_json(space, "{\"d\": [0" + json.substr(8)));
  CHECK(one != arch);
  CHECK(axis_value(space, arch, Axis::kDepth, kStemStage) == 1);
  CHECK(axis_value(space, arch, Axis::kWidthMult, kStemStage, 1) == 0.65);
  CHECK(axis_value(space, arch, Axis::kWidthMult, 2) == 0.8);
  core::Rng rng = test_rng(5);
  for (int i = 0; i < 200; ++i) {
    const Arch drawn = sample(space, rng);
    REQUIRE(parse_arch(space, to_text(space, drawn)) == drawn);
    REQUIRE(parse_arch_json(space, to_json(space, drawn)) == drawn);
  }
}

TEST_CASE("wrong JSON of a bottleneck space is explained", "[space][error]") {
  const SearchSpace space = shipped_space("ofa_resnet50");
  const auto json = [](const std::string& depths, const std::string& widths, int ratios = 18) {
    return fmt::format(R"({{"d": [{}], "e": [{}], "w": [{}], "image_size": 160}})", depths,
                       fmt::join(std::vector<double>(static_cast<std::size_t>(ratios), 0.2), ", "),
                       widths);
  };
  const std::string depths = "2, 0, 0, 0, 0";
  const std::string widths = "0, 0, 0, 0, 0, 0";
  CHECK_NOTHROW(parse_arch_json(space, json(depths, widths)));
  CHECK_THROWS_WITH(parse_arch_json(space, json("3, 0, 0, 0, 0", widths)),
                    "arch JSON: d[0]: found 3, allowed: 0, 1, 2");
  // A space whose stem is fixed: what its only choice is called in the JSON form.
  for (const auto& [choice, wrong, allowed] :
       std::vector<std::tuple<std::string, int, std::string>>{{"[1]", 1, "2"},
                                                              {"[0]", 2, "0, 1"}}) {
    const SearchSpace fixed = test::shipped_space_with("ofa_resnet50", {"stem.depth=" + choice});
    CHECK_THROWS_WITH(parse_arch_json(fixed, json(fmt::format("{}, 0, 0, 0, 0", wrong), widths)),
                      fmt::format("arch JSON: d[0]: found {}, allowed: {}", wrong, allowed));
    CHECK_NOTHROW(parse_arch_json(
        fixed, json(fmt::format("{}, 0, 0, 0, 0", 2 - wrong + (wrong == 1)), widths)));
  }
  CHECK_THROWS_WITH(parse_arch_json(space, json("2, 0, 3, 0, 0", widths)),
                    "arch JSON: d[2]: found 3, allowed: 0, 1, 2");
  CHECK_THROWS_WITH(parse_arch_json(space, json(depths, "0, 0, 3, 0, 0, 0")),
                    "arch JSON: w[2]: found 3, allowed: 0, 1, 2");
  CHECK_THROWS_WITH(parse_arch_json(space, json(depths, "0, 0")),
                    "arch JSON: w: found 2 values, expected 6");
  CHECK_THROWS_WITH(parse_arch_json(space, json(depths, widths, 20)),
                    "arch JSON: e: found 20 values, expected 18");
  CHECK_THROWS_WITH(parse_arch_json(space, R"({"ks": [3], "d": [2]})"), ContainsSubstring("ks"));
  CHECK_THROWS_WITH(
      parse_arch(space,
                 "ofa_resnet50/v1 r=160 d=1,2,2,4,2 e=0p2.0p2,0p2.0p2,0p2.0p2.0p2.0p2,"
                 "0p2.0p2 w=1,1,1,1,1"),
      ContainsSubstring("width_mult of the stem: found 1 values, expected 2"));
}

TEST_CASE("canonicalising twice changes nothing", "[space][property]") {
  for (const char* name : {"tiny", "mbv3_32px"}) {
    const SearchSpace space = shipped_space(name);
    core::Rng rng = test_rng(1);
    for (int i = 0; i < 200; ++i) {
      const Arch arch = sample(space, rng);
      CAPTURE(name, i);
      REQUIRE(Arch(space, arch.choices()) == arch);
    }
  }
}

TEST_CASE("choice indices that do not fit the space are refused", "[space][error]") {
  const SearchSpace space = shipped_space("tiny");
  CHECK_THROWS_WITH(Arch(space, std::vector<std::uint8_t>(7, 0)),
                    "choice_indices must have 8 elements for space tiny, got 7");
  CHECK_THROWS_WITH(Arch(space, std::vector<std::uint8_t>{0, 0, 2, 0, 0, 0, 0, 0}),
                    "choice index of kernel_size[1.0] must be in [0, 2), got 2");
}

TEST_CASE("values of positions come from genes or from the space", "[space][unit]") {
  const SearchSpace space = shipped_space("tiny");
  const Arch big = largest(space);
  const Arch small = smallest(space);
  CHECK(resolution_px(space, big) == 16);
  CHECK(resolution_px(space, small) == 12);
  CHECK(depth(space, big, 1) == 2);
  CHECK(depth(space, small, 1) == 1);
  CHECK(depth(space, big, 0) == 1);
  CHECK(axis_value(space, big, Axis::kKernelSize, 0, 0) == 3);
  CHECK(axis_value(space, big, Axis::kKernelSize, 2, 0) == 5);
  CHECK(axis_value(space, small, Axis::kExpandRatio, 2, 0) == 2);
  CHECK(axis_value(space, small, Axis::kWidthMult) == 1.0);
  CHECK_THROWS_WITH(depth(space, big, 3), "stage must be in [0, 3), got 3");
  CHECK_THROWS_WITH(axis_value(space, big, Axis::kKernelSize, 1, 2),
                    "block of stage 1 must be in [0, 2), got 2");
}

TEST_CASE("an arch of another space is a bug", "[space][error]") {
  const SearchSpace tiny = shipped_space("tiny");
  const SearchSpace other = shipped_space("mbv3_32px");
  CHECK_THROWS_AS(resolution_px(tiny, largest(other)), BugError);
}

TEST_CASE("the text form is stable", "[space][golden]") {
  const SearchSpace tiny = shipped_space("tiny");
  CHECK(to_text(tiny, largest(tiny)) == "tiny/v1 r=16 d=2 k=5.5,5 e=2.2,3");
  CHECK(to_text(tiny, smallest(tiny)) == "tiny/v1 r=12 d=1 k=3,3 e=1,2");
  const SearchSpace space = shipped_space("mbv3_32px");
  CHECK(to_text(space, largest(space)) ==
        "mbv3_32px/v1 r=32 d=2,3,3 k=7.7,7.7.7,7.7.7 e=6.6,6.6.6,6.6.6");
}

TEST_CASE("fractional ratios keep the text form unambiguous", "[space][unit]") {
  const SearchSpace space = space_from(
      "name: f\nresolutions: [16]\nstages:\n  - {width: 8, depth: [2], expand_ratio: [2, 2.5]}\n");
  const Arch arch(space, std::vector<std::uint8_t>{1, 0});
  CHECK(to_text(space, arch) == "f/v1 e=2p5.2");
  CHECK(parse_arch(space, "f/v1 e=2p5.2") == arch);
  CHECK(parse_arch_json(space, to_json(space, arch)) == arch);
}

TEST_CASE("a space of one point has a text form", "[space][unit]") {
  const SearchSpace space = space_from("name: one\nresolutions: [16]\nstages:\n  - {width: 8}\n");
  CHECK(to_text(space, largest(space)) == "one/v1");
  CHECK(parse_arch(space, "one/v1") == largest(space));
  CHECK(to_json(space, largest(space)) == R"({"ks": [], "e": [], "d": [], "image_size": 16})");
}

TEST_CASE("parsing inverts printing", "[space][property]") {
  const std::vector<SearchSpace> spaces{shipped_space("tiny"), shipped_space("mbv3_32px"),
                                        ofa_mbv3(1.0, {128, 160, 192, 224})};
  for (const SearchSpace& space : spaces) {
    core::Rng rng = test_rng(2);
    for (int i = 0; i < 200; ++i) {
      const Arch arch = sample(space, rng);
      CAPTURE(to_text(space, arch));
      REQUIRE(parse_arch(space, to_text(space, arch)) == arch);
      REQUIRE(parse_arch_json(space, to_json(space, arch)) == arch);
    }
  }
}

TEST_CASE("wrong arch texts are explained", "[space][error]") {
  const SearchSpace space = shipped_space("tiny");
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"", "arch '': must start with 'tiny/v1', found ''"},
      {"tiny/v2 r=16", "must start with 'tiny/v1', found 'tiny/v2'"},
      {"tiny/v1 r=14 d=1 k=3,3 e=1,2", "resolution: found '14', allowed: 12, 16"},
      {"tiny/v1 r=16 d=3 k=3,3 e=1,2", "depth[1]: found '3', allowed: 1, 2"},
      {"tiny/v1 r=16 d=2 k=3,3 e=1,2", "kernel_size of stage 1: found 1 values, expected 2"},
      {"tiny/v1 r=16 d=1 k=3.3,3 e=1,2", "kernel_size of stage 1: found 2 values, expected 1"},
      {"tiny/v1 r=16 d=1 k=7,3 e=1,2", "kernel_size[1.0]: found '7', allowed: 3, 5"},
      {"tiny/v1 r=16 d=1 k=3,3 e=1,9", "expand_ratio[2.0]: found '9', allowed: 2, 3"},
      {"tiny/v1 r=16 d=1 k=3 e=1,2", "kernel_size: found 1 stages, expected 2"},
      {"tiny/v1 r=16 k=3,3 d=1 e=1,2", "expected 'd=' for depth, found 'k=3,3'"},
      {"tiny/v1 r=16 d=1 k=3,3", "expected 'e=' for expand_ratio, found ''"},
      {"tiny/v1 r=16 d=1 k=3,3 e=1,2 w=1", "unexpected 'w=1'"},
      {"tiny/v1 r=16 d=1 k=,3 e=1,2", "kernel_size[1.0]: found '', allowed: 3, 5"}};
  for (const auto& [text, message] : wrong) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_arch(space, text), ConfigError);
    CHECK_THROWS_WITH(parse_arch(space, text), ContainsSubstring(message));
  }
}

TEST_CASE("the JSON form has the reference's keys and slots", "[space][golden]") {
  const SearchSpace space = ofa_mbv3(1.0, {128, 160, 192, 224});
  // The reference's subnet of random seed 0.
  const std::string json =
      R"({"ks": [5, 5, 3, 5, 7, 5, 5, 5, 5, 5, 7, 3, 7, 3, 5, 3, 3, 7, 5, 7], )"
      R"("e": [6, 6, 3, 4, 3, 6, 3, 6, 4, 4, 6, 3, 4, 4, 4, 6, 6, 3, 6, 4], )"
      R"("d": [3, 4, 3, 2, 4], "image_size": 192})";
  const Arch arch = parse_arch_json(space, json);
  CHECK(to_text(space, arch) ==
        "ofa_mbv3/v1 r=192 d=3,4,3,2,4 k=5.5.3,7.5.5.5,5.5.7,7.3,3.7.5.7 "
        "e=6.6.3,3.6.3.6,4.4.6,4.4,6.3.6.4");
  CHECK(to_json(space, arch) ==
        R"({"ks": [5, 5, 3, 3, 7, 5, 5, 5, 5, 5, 7, 3, 7, 3, 3, 3, 3, 7, 5, 7], )"
        R"("e": [6, 6, 3, 3, 3, 6, 3, 6, 4, 4, 6, 3, 4, 4, 3, 3, 6, 3, 6, 4], )"
        R"("d": [3, 4, 3, 2, 4], "image_size": 192})");
}

TEST_CASE("wrong arch JSON is explained", "[space][error]") {
  const SearchSpace space = shipped_space("tiny");
  const std::string good = R"({"ks": [3, 3, 3], "e": [1, 1, 2], "d": [1, 1], "image_size": 16})";
  CHECK_NOTHROW(parse_arch_json(space, good));
  CHECK_NOTHROW(
      parse_arch_json(space, R"({"ks":[3,3,3],"e":[1,1,2.0],"d":[1,1],"image_size":16})"));
  const std::vector<std::pair<std::string, std::string>> wrong{
      {R"({"ks": [3, 3], "e": [1, 1, 2], "d": [1, 1], "image_size": 16})",
       "arch JSON: ks: found 2 values, expected 3"},
      {R"({"ks": [3, 3, 3], "e": [1, 1, 2, 2], "d": [1, 1], "image_size": 16})",
       "arch JSON: e: found 4 values, expected 3"},
      {R"({"ks": [3, 3, 3], "e": [1, 1, 2], "d": [1], "image_size": 16})",
       "arch JSON: d: found 1 values, expected 2"},
      {R"({"ks": [3, 9, 3], "e": [1, 1, 2], "d": [1, 1], "image_size": 16})",
       "arch JSON: ks[1]: found 9, allowed: 3, 5"},
      {R"({"ks": [3, 3, 3], "e": [1, 1, 7], "d": [1, 1], "image_size": 16})",
       "arch JSON: e[2]: found 7, allowed: 2, 3"},
      {R"({"ks": [3, 3, 3], "e": [1, 1, 2], "d": [3, 1], "image_size": 16})",
       "arch JSON: d[0]: found 3, allowed: 1, 2"},
      {R"({"ks": [3, 3, 3], "e": [1, 1, 2], "d": [1, 1], "image_size": 20})",
       "arch JSON: image_size: found 20, allowed: 12, 16"},
      {R"({"ks": [3, 3, 3], "e": [1, 1, 2], "d": [1, 1]})", "arch JSON:1:1: image_size: missing"},
      {R"({"ks": [3, 3, 3], "e": [1, 1, 2], "d": [1, 1], "image_size": 16, "w": 1})",
       "w: unknown key"},
      {R"({"ks": "3", "e": [1, 1, 2], "d": [1, 1], "image_size": 16})", "ks must be a list"}};
  for (const auto& [json, message] : wrong) {
    CAPTURE(json);
    CHECK_THROWS_AS(parse_arch_json(space, json), ConfigError);
    CHECK_THROWS_WITH(parse_arch_json(space, json), ContainsSubstring(message));
  }
}

TEST_CASE("hashes of archs never change", "[space][golden]") {
  const SearchSpace tiny = shipped_space("tiny");
  CHECK(core::hex64(tiny.fingerprint()) == "f19724633a687e41");
  CHECK(core::hex64(largest(tiny).hash()) == "6b3e1e7018a6e1e0");
  CHECK(core::hex64(smallest(tiny).hash()) == "b02a2a25aeacf564");
  const SearchSpace space = shipped_space("mbv3_32px");
  CHECK(core::hex64(space.fingerprint()) == "c22445d9db851848");
  std::set<std::uint64_t> hashes;
  for (const Arch& arch : enumerate(tiny)) hashes.insert(arch.hash());
  CHECK(hashes.size() == 160);
}

}  // namespace
}  // namespace omnifit::space
