#include "space/sampling.hpp"

#include "core/error.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <limits>
#include <set>

namespace omnifit::space {
namespace {

using test::ofa_mbv3;
using test::shipped_space;
using test::space_from;
using test::test_rng;

int num_different(const Arch& a, const Arch& b) {
  int count = 0;
  for (std::size_t g = 0; g < a.choices().size(); ++g) {
    count += a.choices()[g] != b.choices()[g] ? 1 : 0;
  }
  return count;
}

TEST_CASE("counts are printed in full", "[space][unit]") {
  CHECK(to_string(0) == "0");
  CHECK(to_string(1000) == "1000");
  CHECK(to_string(~Count{0}) == "340282366920938463463374607431768211455");
}

TEST_CASE("the number of archs is the reference's", "[space][golden]") {
  CHECK(to_string(cardinality(ofa_mbv3(1.0, {224}))) == "21758655492572485851");
  CHECK(to_string(cardinality(test::ofa_proxyless(1.3, {224}))) == "195827899433152372659");
  std::vector<int> sizes;
  for (int px = 128; px <= 224; px += 4) sizes.push_back(px);
  CHECK(cardinality(ofa_mbv3(1.2, sizes)) == 25 * cardinality(ofa_mbv3(1.2, {224})));
  CHECK(cardinality(shipped_space("mbv3_32px")) == Count{3} * 90 * 819 * 819);
}

TEST_CASE("shipped reference spaces have the published numbers of networks", "[space][golden]") {
  const SearchSpace mbv3 = shipped_space("ofa_mbv3");
  CHECK(to_string(num_genotypes(mbv3)) == "21758655492572485851");
  CHECK(to_string(num_networks(mbv3)) == "21758655492572485851");
  CHECK(cardinality(mbv3) == 25 * num_genotypes(mbv3));
  for (const char* name : {"ofa_proxyless", "ofa_proxyless_google"}) {
    CHECK(to_string(num_genotypes(shipped_space(name))) == "195827899433152372659");
    CHECK(num_networks(shipped_space(name)) == num_genotypes(shipped_space(name)));
  }
  const SearchSpace resnet = shipped_space("ofa_resnet50");
  CHECK(to_string(num_genotypes(resnet)) == "2458914796962");
  CHECK(to_string(num_networks(resnet)) == "1639276531308");
}

TEST_CASE("networks are counted as lowering every arch counts them", "[space][property]") {
  // Ratios that round alike, blocks that look like those of the next stage, widths that collapse.
  const std::vector<SearchSpace> spaces{shipped_space("tiny"), space_from(R"(
name: alike
resolutions: [8, 16]
stages:
  - {width: 8, depth: [1, 2, 3], kernel_size: [3, 5], expand_ratio: [1, 1.1, 2]}
  - {width: 8, depth: [1, 3], kernel_size: [3, 5]}
)"),
                                        test::small_bottleneck()};
  for (const SearchSpace& space : spaces) {
    std::set<std::vector<LayerSpec>> networks;
    for (const Arch& arch : enumerate(space)) {
      if (resolution_px(space, arch) != space.resolutions().back()) continue;
      std::vector<LayerSpec> units;
      for (const PlanUnit& unit : lower(space, arch, {}).units) units.push_back(unit.spec);
      networks.insert(units);
    }
    CAPTURE(space.name());
    CHECK(num_networks(space) == networks.size());
    CHECK((space.name() == "tiny" || networks.size() < num_genotypes(space)));
  }
}

TEST_CASE("enumeration lists every canonical arch once, in order", "[space][property]") {
  const SearchSpace space = shipped_space("tiny");
  const std::vector<Arch> archs = enumerate(space);
  CHECK(archs.size() == 160);
  CHECK(cardinality(space) == archs.size());
  CHECK(std::is_sorted(archs.begin(), archs.end()));
  CHECK(std::adjacent_find(archs.begin(), archs.end()) == archs.end());
  CHECK(archs.front() == smallest(space));
  CHECK(archs.back() == largest(space));
  core::Rng rng = test_rng(1);
  std::set<Arch> drawn;
  for (int i = 0; i < 10'000; ++i) drawn.insert(sample(space, rng));
  CHECK(drawn == std::set<Arch>(archs.begin(), archs.end()));
}

TEST_CASE("enumeration refuses a space beyond its limit", "[space][error]") {
  CHECK_THROWS_AS(enumerate(shipped_space("tiny"), 159), StateError);
  CHECK_THROWS_WITH(enumerate(shipped_space("tiny"), 159),
                    "space tiny/v1 has 160 archs, more than the 159 that may be listed");
  CHECK(enumerate(shipped_space("tiny"), 160).size() == 160);
}

TEST_CASE("genotypes are drawn uniformly", "[space][property]") {
  const SearchSpace space = shipped_space("mbv3_32px");
  core::Rng rng = test_rng(2);
  constexpr int kDraws = 6000;
  std::vector<std::vector<int>> seen;
  for (const Gene& gene : space.genes()) seen.emplace_back(gene.choices.size(), 0);
  std::vector<int> active(space.genes().size(), 0);
  for (int i = 0; i < kDraws; ++i) {
    const Arch arch = sample(space, rng);
    for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
      if (!is_active(space, arch, g)) continue;
      ++active[static_cast<std::size_t>(g)];
      ++seen[static_cast<std::size_t>(g)][static_cast<std::size_t>(arch.choice(g))];
    }
  }
  for (std::size_t g = 0; g < seen.size(); ++g) {
    const double expected = 1.0 / static_cast<double>(seen[g].size());
    for (const int count : seen[g]) {
      CAPTURE(gene_name(space.genes()[g]));
      // Five standard deviations of a binomial of at least 2000 draws.
      CHECK(count / static_cast<double>(active[g]) == Approx(expected).margin(0.055));
    }
  }
}

TEST_CASE("spread samples reach the sizes that uniform ones never have", "[space][property]") {
  const SearchSpace space = ofa_mbv3(1.0, {224});
  core::Rng rng = test_rng(3);
  std::vector<std::int64_t> uniform;
  std::vector<std::int64_t> spread;
  for (int i = 0; i < 400; ++i) {
    uniform.push_back(macs(lower(space, sample(space, rng), {})));
    spread.push_back(macs(lower(space, sample_spread(space, rng), {})));
  }
  std::sort(uniform.begin(), uniform.end());
  std::sort(spread.begin(), spread.end());
  CHECK(std::lower_bound(spread.begin(), spread.end(), uniform.front()) - spread.begin() > 40);
  CHECK(spread.end() - std::upper_bound(spread.begin(), spread.end(), uniform.back()) > 40);
  // The ends are reached to within a tenth of the way.
  const auto low = static_cast<double>(macs(lower(space, smallest(space), {})));
  const auto high = static_cast<double>(macs(lower(space, largest(space), {})));
  CHECK(static_cast<double>(spread.front()) < low + 0.1 * (high - low));
  CHECK(static_cast<double>(spread.back()) > high - 0.1 * (high - low));
}

TEST_CASE("spread samples lean each axis on its own", "[space][property]") {
  const SearchSpace space = ofa_mbv3(1.0, {224});
  core::Rng rng = test_rng(4);
  int deep_and_narrow = 0;
  int shallow_and_wide = 0;
  for (int i = 0; i < 400; ++i) {
    const Arch arch = sample_spread(space, rng);
    int depth = 0;
    int expand = 0;
    for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
      const Axis axis = space.genes()[static_cast<std::size_t>(g)].axis;
      if (!is_active(space, arch, g)) continue;
      if (axis == Axis::kDepth) depth += arch.choice(g);
      if (axis == Axis::kExpandRatio) expand += arch.choice(g);
    }
    if (depth >= 8 && expand <= 4) ++deep_and_narrow;
    if (depth <= 2 && expand >= 16) ++shallow_and_wide;
  }
  CHECK(deep_and_narrow > 10);
  CHECK(shallow_and_wide > 10);
}

TEST_CASE("a subspace keeps the largest choices of an axis open", "[space][unit]") {
  const SearchSpace space = shipped_space("mbv3_32px");
  Subspace subspace = Subspace::all(space);
  subspace.keep_largest(space, Axis::kKernelSize, 1);
  subspace.keep_largest(space, Axis::kDepth, 2);
  subspace.keep_largest(space, Axis::kExpandRatio, 0);
  subspace.keep_largest(space, Axis::kResolution, 9);
  core::Rng rng = test_rng(3);
  std::set<double> expand_ratios;
  std::set<int> depths;
  std::set<int> resolutions;
  for (int i = 0; i < 300; ++i) {
    const Arch arch = sample(space, subspace, rng);
    CHECK(axis_value(space, arch, Axis::kKernelSize, 2, 0) == 7);
    expand_ratios.insert(axis_value(space, arch, Axis::kExpandRatio, 2, 0));
    depths.insert(depth(space, arch, 2));
    resolutions.insert(resolution_px(space, arch));
  }
  CHECK(expand_ratios == std::set<double>{3, 4, 6});
  CHECK(depths == std::set<int>{2, 3});
  CHECK(resolutions == std::set<int>{24, 28, 32});
  CHECK_THROWS_WITH(subspace.keep_largest(space, Axis::kDepth, -1),
                    "count must be at least 0, got -1");
}

TEST_CASE("a subspace of another space is a bug", "[space][error]") {
  core::Rng rng = test_rng(3);
  const Subspace subspace = Subspace::all(shipped_space("tiny"));
  CHECK_THROWS_AS(sample(shipped_space("mbv3_32px"), subspace, rng), BugError);
}

TEST_CASE("a mutant is valid and never its parent", "[space][property]") {
  for (const char* name : {"tiny", "mbv3_32px"}) {
    const SearchSpace space = shipped_space(name);
    core::Rng rng = test_rng(4);
    for (int i = 0; i < 300; ++i) {
      const Arch parent = sample(space, rng);
      const double prob = (i % 5) / 4.0;
      const auto child = mutate(space, parent, prob, rng);
      CAPTURE(name, i, prob);
      REQUIRE(child.has_value());
      REQUIRE(*child != parent);
      REQUIRE(Arch(space, child->choices()) == *child);
    }
  }
}

TEST_CASE("probability 0 forces one move, probability 1 moves all", "[space][property]") {
  const SearchSpace space = shipped_space("mbv3_32px");
  core::Rng rng = test_rng(5);
  for (int i = 0; i < 200; ++i) {
    const Arch parent = sample(space, rng);
    const Arch one = mutate(space, parent, 0.0, rng).value();
    const Arch all = mutate(space, parent, 1.0, rng).value();
    int moved = 0;
    for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
      if (!is_active(space, parent, g)) continue;
      if (is_active(space, one, g)) moved += one.choice(g) != parent.choice(g) ? 1 : 0;
      if (is_active(space, all, g)) REQUIRE(all.choice(g) != parent.choice(g));
    }
    REQUIRE(moved == 1);
  }
}

TEST_CASE("genes that a mutation switches on are drawn from all choices", "[space][property]") {
  const SearchSpace space = shipped_space("tiny");
  core::Rng rng = test_rng(6);
  std::set<int> kernel_sizes;
  for (int i = 0; i < 100; ++i) {
    const Arch child = mutate(space, smallest(space), 1.0, rng).value();
    REQUIRE(depth(space, child, 1) == 2);
    kernel_sizes.insert(static_cast<int>(axis_value(space, child, Axis::kKernelSize, 1, 1)));
  }
  CHECK(kernel_sizes == std::set<int>{3, 5});
}

TEST_CASE("a space of one point has no mutant and no neighbour", "[space][unit]") {
  const SearchSpace space = space_from("name: one\nresolutions: [16]\nstages:\n  - {width: 8}\n");
  core::Rng rng = test_rng(7);
  CHECK_FALSE(mutate(space, largest(space), 0.5, rng).has_value());
  CHECK(neighbours(space, largest(space)).empty());
  CHECK(cardinality(space) == 1);
  CHECK(enumerate(space) == std::vector<Arch>{largest(space)});
}

TEST_CASE("a mutation probability is a probability", "[space][error]") {
  const SearchSpace space = shipped_space("tiny");
  core::Rng rng = test_rng(8);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(mutate(space, largest(space), 1.5, rng), "prob must be in [0, 1], got 1.5");
  CHECK_THROWS_WITH(mutate(space, largest(space), nan, rng), "prob must be in [0, 1], got nan");
}

TEST_CASE("a child has its genes from its parents", "[space][property]") {
  const SearchSpace space = shipped_space("mbv3_32px");
  core::Rng rng = test_rng(9);
  int from_first = 0;
  int from_second = 0;
  for (int i = 0; i < 300; ++i) {
    const Arch a = sample(space, rng);
    const Arch b = sample(space, rng);
    const Arch child = crossover(space, a, b, rng);
    for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
      if (!is_active(space, child, g)) continue;
      const bool like_a = is_active(space, a, g) && child.choice(g) == a.choice(g);
      const bool like_b = is_active(space, b, g) && child.choice(g) == b.choice(g);
      CAPTURE(i, g);
      REQUIRE((like_a || like_b));
      from_first += like_a && !like_b ? 1 : 0;
      from_second += like_b && !like_a ? 1 : 0;
    }
    REQUIRE(crossover(space, a, a, rng) == a);
  }
  CHECK(from_first / static_cast<double>(from_first + from_second) == Approx(0.5).margin(0.05));
}

TEST_CASE("neighbours differ in one gene and are complete", "[space][property]") {
  const SearchSpace space = shipped_space("tiny");
  for (const Arch& arch : enumerate(space)) {
    const std::vector<Arch> found = neighbours(space, arch);
    const std::set<Arch> unique(found.begin(), found.end());
    std::size_t expected = 0;
    for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
      if (is_active(space, arch, g)) {
        expected += space.genes()[static_cast<std::size_t>(g)].choices.size() - 1;
      }
    }
    CAPTURE(to_text(space, arch));
    REQUIRE(unique.size() == found.size());
    REQUIRE(found.size() == expected);
    for (const Arch& neighbour : found) {
      REQUIRE(neighbour != arch);
      if (depth(space, neighbour, 1) == depth(space, arch, 1)) {
        REQUIRE(num_different(neighbour, arch) == 1);
      }
    }
  }
}

TEST_CASE("equal seeds draw equal archs", "[space][golden]") {
  const SearchSpace space = shipped_space("mbv3_32px");
  core::Rng first = test_rng(10);
  core::Rng second = test_rng(10);
  const Arch parent = sample(space, first);
  CHECK(parent == sample(space, second));
  CHECK(mutate(space, parent, 0.1, first) == mutate(space, parent, 0.1, second));
  core::Rng golden = test_rng(0);
  CHECK(to_text(space, sample(space, golden)) ==
        "mbv3_32px/v1 r=32 d=2,1,3 k=5.3,5,5.7.3 e=3.6,6,3.3.4");
  CHECK(to_text(space, mutate(space, largest(space), 0.1, golden).value()) ==
        "mbv3_32px/v1 r=32 d=2,3,3 k=7.5,7.7.7,7.5.7 e=6.6,6.6.6,6.6.6");
}

}  // namespace
}  // namespace omnifit::space
