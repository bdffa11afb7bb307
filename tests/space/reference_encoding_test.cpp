#include "space/reference_encoding.hpp"

#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace omnifit::space {
namespace {

std::vector<int> ones_of(const std::vector<double>& row) {
  std::vector<int> ones;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] == 1.0) ones.push_back(static_cast<int>(i));
  }
  return ones;
}

TEST_CASE("predictor inputs are the reference's", "[space][golden]") {
  const SearchSpace space = test::ofa_mbv3(1.2, {192});
  const Arch arch = parse_arch_json(
      space, R"({"ks": [5, 5, 3, 5, 7, 5, 5, 5, 5, 5, 7, 3, 7, 3, 5, 3, 3, 7, 5, 7], )"
             R"("e": [6, 6, 3, 4, 3, 6, 3, 6, 4, 4, 6, 3, 4, 4, 4, 6, 6, 3, 6, 4], )"
             R"("d": [3, 4, 3, 2, 4], "image_size": 192})");
  const std::vector<double> tutorial = reference_row(space, arch, tutorial_encoding());
  CHECK(tutorial.size() == 128);
  CHECK(ones_of(tutorial) == std::vector<int>{1,  4,  6,  14, 16, 19,  22,  25,  28,  32,  38,
                                              39, 48, 53, 55, 59, 62,  65,  66,  72,  77,  78,
                                              83, 85, 88, 92, 97, 100, 110, 111, 116, 118, 125});
  const std::vector<double> row = reference_row(
      space, arch,
      {ReferenceEncoding::Order::kResolutionFirst, std::vector<int>{128, 160, 192, 224}});
  CHECK(row.size() == 124);
  CHECK(ones_of(row) == std::vector<int>{2,  5,  8,  10, 18, 20,  23,  26,  29,  32,  36,
                                         42, 43, 52, 57, 59, 63,  66,  69,  70,  76,  81,
                                         82, 87, 89, 92, 96, 101, 104, 114, 115, 120, 122});
}

TEST_CASE("predictor inputs of a bottleneck space", "[space][golden]") {
  const SearchSpace space = test::ofa_resnet50({128, 256});
  const ReferenceEncoding released{ReferenceEncoding::Order::kResolutionFirst,
                                   {128, 144, 160, 176, 192, 224, 240, 256}};
  const std::vector<double> row = reference_row(space, smallest(space), released);
  CHECK(row.size() == 82);
  // Resolution, no residual stem layer, six times the smallest width; of each stage the leading
  // blocks.
  CHECK(ones_of(row) ==
        std::vector<int>{0, 8, 10, 13, 16, 19, 22, 25, 28, 31, 40, 43, 52, 55, 58, 61, 70, 73});
  CHECK(ones_of(reference_row(space, largest(space), released)).size() == 1 + 1 + 6 + 18);
  CHECK_THROWS_WITH(reference_row(space, smallest(space), tutorial_encoding()),
                    "a bottleneck space has its resolution first");
  CHECK_THROWS_WITH(reference_row(space, largest(space),
                                  {ReferenceEncoding::Order::kResolutionFirst, {128, 160}}),
                    "resolution 256 has no column; allowed: 128, 160");
}

TEST_CASE("an encoder gives the ones of every row", "[space][property]") {
  const ReferenceEncoding released{ReferenceEncoding::Order::kResolutionFirst,
                                   {128, 144, 160, 176, 192, 224, 240, 256}};
  struct Case {
    SearchSpace space;
    ReferenceEncoding encoding;
  };
  const std::vector<Case> cases{{test::ofa_mbv3(1.2, {160, 192, 224}), tutorial_encoding()},
                                {test::ofa_proxyless(1.3, {160, 192}), released},
                                {test::ofa_resnet50({128, 256}), released}};
  for (const Case& example : cases) {
    const ReferenceEncoder encoder(example.space, example.encoding);
    core::Rng rng = test::test_rng(5);
    for (int i = 0; i < 50; ++i) {
      const Arch arch = sample(example.space, rng);
      ReferenceEncoder::Columns columns;
      const auto ones = encoder.ones(arch, columns);
      CHECK(std::ranges::is_sorted(ones));
      const std::vector<double> row = reference_row(example.space, arch, example.encoding);
      CHECK(static_cast<int>(row.size()) == encoder.num_columns());
      CHECK(ones_of(row) == std::vector<int>(ones.begin(), ones.end()));
    }
  }
}

TEST_CASE("an encoder takes the nearest resolution where it may", "[space][unit]") {
  const SearchSpace space = test::ofa_mbv3(1.0, {132, 136, 220});
  CHECK_THROWS_WITH(
      ReferenceEncoder(space, tutorial_encoding()),
      "resolution 132 has no column; allowed: 112, 128, 144, 160, 176, 192, 208, 224");
  const ReferenceEncoder encoder(space, tutorial_encoding(),
                                 ReferenceEncoder::Resolutions::kNearest);
  ReferenceEncoder::Columns columns;
  const auto last_of = [&](int choice) {
    std::vector<std::uint8_t> choices(space.genes().size(), 0);
    choices[static_cast<std::size_t>(*space.find_gene(Axis::kResolution))] =
        static_cast<std::uint8_t>(choice);
    return encoder.ones(Arch(space, choices), columns).back();
  };
  CHECK(last_of(0) == 121);  // 132 → 128
  CHECK(last_of(1) == 121);  // 136 lies between 128 and 144: the smaller
  CHECK(last_of(2) == 127);  // 220 → 224
}

TEST_CASE("an encoder refuses what it has no columns for", "[space][error]") {
  const SearchSpace space = test::ofa_mbv3(1.0, {224});
  CHECK_THROWS_WITH(ReferenceEncoder(space, {.sizes = {}}),
                    "an encoding needs at least one resolution");
  const ReferenceEncoder encoder(space, tutorial_encoding());
  ReferenceEncoder::Columns columns;
  CHECK_THROWS_WITH(encoder.ones(smallest(test::ofa_mbv3(1.2, {224})), columns),
                    "the arch is of another space than the encoder");
}

}  // namespace
}  // namespace omnifit::space
