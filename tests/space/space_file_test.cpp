#include "core/error.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <fstream>

namespace omnifit::space {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::space_from;

/// A valid file in which one line is replaced by a wrong one.
std::string file_with(int line, const std::string& text) {
  std::vector<std::string> lines{"name: s",
                                 "resolutions: [16, 32]",
                                 "stem: {stride: 2}",
                                 "stages:",
                                 "  - width: 8",
                                 "    stride: 2",
                                 "    depth: [1, 2]",
                                 "    kernel_size: [3, 5]",
                                 "    expand_ratio: [1, 2]",
                                 "head:",
                                 "  - {name: mix, width: 16}",
                                 "  - {name: late, width: 16, after_pool: true}"};
  if (line > 0) lines.at(static_cast<std::size_t>(line - 1)) = text;
  std::string file;
  for (const std::string& l : lines) file += l + "\n";
  return file;
}

std::string error_of(const std::string& yaml) {
  try {
    space_from(yaml);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

struct Wrong {
  int line;
  std::string text;
  std::string message;
};

TEST_CASE("every mistake in a space file is located and explained", "[space][error]") {
  REQUIRE(error_of(file_with(0, "")) == "no error");
  const std::vector<Wrong> wrong{
      {1, "name: \"a b/c\"",
       "space.yaml:1:7: name: found 'a b/c', allowed are letters, digits and '_'"},
      {1, "# no name", "space.yaml:2:1: name: found '', allowed are letters, digits and '_'"},
      {2, "resolutions: [16, 32]\nfamily: vit",
       "space.yaml:3:9: family must be one of mbconv, bottleneck, tabular; got 'vit'"},
      {2, "resolutions: []", "space.yaml:2:14: resolutions: needs at least one valid choice"},
      {2, "resolutions: [32, 16]",
       "space.yaml:2:14: resolutions: choices must be ascending, found 16 after 32"},
      {2, "resolutions: [16, 16]",
       "space.yaml:2:14: resolutions: choices must be distinct, found 16 twice"},
      {2, "resolutions: [2, 16]",
       "space.yaml:2:14: resolutions: 2 px is too small for the strides, whose product is 4"},
      {2, "resolutions: [0, 16]", "space.yaml:2:15: resolutions.0 must be in [1, 4096], got 0"},
      {2, "resolution: [16]",
       "space.yaml:2:1: resolution: unknown key; did you mean 'resolutions'?"},
      {3, "stem: {stride: 2, act: gelu}",
       "space.yaml:3:24: stem.act must be one of none, relu, relu6"},
      {3, "stem: {kernel_size: 4}",
       "space.yaml:3:21: stem.kernel_size: kernel sizes must be odd, found 4"},
      {3, "stem: {name: blocks}", "space.yaml:3:7: stem: the name 'blocks' is reserved"},
      {3, "stem: {name: a.b}", "stem.name: found 'a.b', allowed are letters, digits and '_'"},
      {5, "  - width: 0", "space.yaml:5:12: stages.0.width must be in [1, 8192], got 0"},
      {6, "    stride: 9", "space.yaml:6:13: stages.0.stride must be in [1, 8], got 9"},
      {7, "    depth: []", "space.yaml:7:12: stages.0.depth: needs at least one valid choice"},
      {7, "    depth: [0, 1]", "space.yaml:7:13: stages.0.depth.0 must be in [1, 32], got 0"},
      {7, "    depth: [2, 1]",
       "space.yaml:7:12: stages.0.depth: choices must be ascending, found 1 after 2"},
      {7, "    depth: 2", "space.yaml:7:12: stages.0.depth must be a list, got '2'"},
      {8, "    kernel_size: [3, 4]",
       "space.yaml:8:18: stages.0.kernel_size: kernel sizes must be odd, found 4"},
      {8, "    kernel_size: [3, 3]",
       "space.yaml:8:18: stages.0.kernel_size: choices must be distinct, found 3 twice"},
      {9, "    expand_ratio: [0.5, 2]",
       "space.yaml:9:20: stages.0.expand_ratio.0 must be in [1, 16], got 0.5"},
      {9, "    expand_ratio: [4, 3]",
       "space.yaml:9:19: stages.0.expand_ratio: choices must be ascending, found 3 after 4"},
      {11, "  - {name: late, width: 16}", "head: the name 'late' is used twice or reserved"},
      {11, "  - {name: pool, width: 16}", "head: the name 'pool' is used twice or reserved"},
      {11, "  - {name: mix, width: 16, after_pool: true, kernel_size: 3}",
       "space.yaml:11:59: head.0.kernel_size: must be 1 after the pool, found 3"},
      {12, "  - {name: x, width: 8, after_pool: true}\n  - {name: y, width: 8}",
       "space.yaml:11:3: head: 'y' runs before the pool and must be listed before 'x'"},
      {12, "dropout: 1.0", "space.yaml:12:10: dropout must be in [0, 0.95], got 1.0"},
      {12, "width_mult: 0", "space.yaml:12:13: width_mult must be in (0, 8], got 0"},
      {12, "version: 0", "space.yaml:12:10: version must be in [1, 1000000], got 0"},
      {12, "batch_norm: {eps: 0}", "space.yaml:12:19: batch_norm.eps must be in (0, 1], got 0"},
  };
  for (const Wrong& w : wrong) {
    CAPTURE(w.text);
    CHECK_THAT(error_of(file_with(w.line, w.text)), ContainsSubstring(w.message));
  }
}

TEST_CASE("every mistake in a bottleneck space's file is located and explained", "[space][error]") {
  const auto file = [](int line, const std::string& text) {
    std::vector<std::string> lines{"name: s",
                                   "family: bottleneck",
                                   "resolutions: [32]",
                                   "width_mult: [0.5, 1.0]",
                                   "stem: {depth: [0, 1]}",
                                   "stages:",
                                   "  - width: 64",
                                   "    base_depth: 1",
                                   "    depth: [1, 2]",
                                   "    expand_ratio: [0.25, 0.5]"};
    if (line > 0) lines.at(static_cast<std::size_t>(line - 1)) = text;
    return fmt::format("{}\n", fmt::join(lines, "\n"));
  };
  REQUIRE(error_of(file(0, "")) == "no error");
  const std::vector<Wrong> wrong{
      {3, "resolutions: [2]",
       "space.yaml:3:14: resolutions: 2 px is too small for the strides, whose product is 4"},
      {4, "width_mult: 1.0", "space.yaml:4:13: width_mult must be a list, got '1.0'"},
      {4, "width_mult: [0, 1]", "space.yaml:4:14: width_mult.0 must be in (0, 8], got 0"},
      {4, "width_mult: [1, 0.5]",
       "space.yaml:4:13: width_mult: choices must be ascending, found 0.5 after 1"},
      {5, "stem: {depth: [0, 2]}", "space.yaml:5:19: stem.depth.1 must be in [0, 1], got 2"},
      {5, "stem: {name: blocks}", "space.yaml:5:14: stem.name: the name 'blocks' is reserved"},
      {5, "stem: {stride: 2}", "space.yaml:5:8: stem.stride: unknown key"},
      {8, "    base_depth: 2",
       "space.yaml:8:17: stages.0.base_depth: must be at most the smallest depth 1, got 2"},
      {9, "    depth: [2, 1]",
       "space.yaml:9:12: stages.0.depth: choices must be ascending, found 1 after 2"},
      {10, "    expand_ratio: [0, 1]",
       "space.yaml:10:20: stages.0.expand_ratio.0 must be in (0, 16], got 0"},
      {10, "    kernel_size: [3]", "space.yaml:10:5: stages.0.kernel_size: unknown key"},
  };
  for (const Wrong& w : wrong) {
    CAPTURE(w.text);
    CHECK_THAT(error_of(file(w.line, w.text)), ContainsSubstring(w.message));
  }
  CHECK_THAT(error_of("name: s\nfamily: bottleneck\nresolutions: [32]\n"),
             ContainsSubstring("stages: needs at least one stage, found none"));
}

TEST_CASE("all mistakes of a space file are shown at once", "[space][error]") {
  const std::string message = error_of(
      "name: s\nresolutions: [32, 16]\nstages:\n  - {width: 8, act: gelu}\n  - {kernel_size: "
      "[2]}\n");
  CHECK_THAT(message, ContainsSubstring("space.yaml:2:14: resolutions: choices must be ascending"));
  CHECK_THAT(message, ContainsSubstring("space.yaml:4:21: stages.0.act must be one of"));
  CHECK_THAT(message,
             ContainsSubstring("space.yaml:5:19: stages.1.kernel_size: kernel sizes must be odd"));
}

TEST_CASE("a space without stages is refused", "[space][error]") {
  CHECK_THAT(error_of("name: s\nresolutions: [16]\n"),
             ContainsSubstring("space.yaml:1:1: stages: needs at least one stage, found none"));
}

TEST_CASE("a space with too many genes is refused", "[space][error]") {
  CHECK(error_of("name: s\nresolutions: [16]\nstages:\n"
                 "  - {width: 8, depth: [16], kernel_size: [3, 5], expand_ratio: [1, 2]}\n"
                 "  - {width: 8, depth: [16], kernel_size: [3, 5], expand_ratio: [1, 2]}\n") ==
        "space.yaml:4:3: stages: the space has 64 genes, at most 63 are allowed");
}

TEST_CASE("a space too large to count is refused", "[space][error]") {
  CHECK(error_of("name: s\nresolutions: [16]\nstages:\n"
                 "  - {width: 8, depth: [31], kernel_size: [3, 5, 7, 9, 11, 13, 15, 17, 19, 21], "
                 "expand_ratio: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\n") ==
        "space.yaml:4:3: stages: the space has more than 2^128 archs, which is not supported");
}

TEST_CASE("a space whose costs or units cannot be counted is refused", "[space][error]") {
  CHECK(
      error_of("name: s\nresolutions: [4096]\nwidth_mult: 8\nstem: {width: 8192, kernel_size: 31, "
               "stride: 1}\nstages:\n  - {width: 8192, expand_ratio: [16]}\nhead:\n"
               "  - {name: mix, width: 8192, kernel_size: 31}\n") ==
      "space.yaml:6:3: stages: the largest network may take 7.6e+19 multiply-accumulates, at "
      "most 1e+18 are allowed; use smaller widths, kernels or images");
  std::string many = "name: s\nresolutions: [16]\nstages:\n";
  for (int stage = 0; stage < 32; ++stage) many += "  - {width: 8, depth: [32]}\n";
  CHECK(error_of(many) ==
        "space.yaml:4:3: stages: the network has more than the 1000 blocks allowed");
  std::string choices;
  for (int i = 0; i < 200; ++i) choices += fmt::format("{}{}", i == 0 ? "" : ", ", 1 + 0.01 * i);
  std::string sizes;
  for (int i = 0; i < 200; ++i) sizes += fmt::format("{}{}", i == 0 ? "" : ", ", 16 + i);
  const std::string head = "name: s\nresolutions: [" + sizes + "]\nstages:\n  - {width: 8, ";
  CHECK(error_of(head + "kernel_size: [3, 5, 7], expand_ratio: [" + choices + "]}\n") ==
        "no error");
  CHECK(error_of(head + "depth: [1, 2, 3, 4, 5], kernel_size: [3, 5, 7], expand_ratio: [" +
                 choices + "]}\n") ==
        "space.yaml:4:3: stages: the choices combine to 2.5e+06 blocks and layers of their own, at "
        "most 1000000 are allowed; use fewer choices per block");
}

TEST_CASE("lists of choices are at most as long as an index can count", "[space][error]") {
  std::string yaml = "name: s\nstages:\n  - {width: 8}\nresolutions: [";
  for (int px = 8; px < 8 + 256; ++px) yaml += std::to_string(px) + ", ";
  CHECK_THAT(error_of(yaml + "1000]"),
             ContainsSubstring("resolutions: found 257 choices, at most 255 are allowed"));
}

TEST_CASE("a space file that is not there is named", "[space][error]") {
  const test::TempDir dir;
  CHECK_THROWS_WITH(SearchSpace::load(dir / "none.yaml"), ContainsSubstring("none.yaml"));
  std::ofstream(dir / "bad.yaml") << "name: s\nresolutions: [16\n";
  CHECK_THROWS_WITH(SearchSpace::load(dir / "bad.yaml"), ContainsSubstring("bad.yaml:"));
}

}  // namespace
}  // namespace omnifit::space
