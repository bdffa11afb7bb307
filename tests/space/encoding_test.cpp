#include "space/encoding.hpp"

#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <numeric>
#include <set>

namespace omnifit::space {
namespace {

using test::shipped_space;
using test::test_rng;

std::vector<double> row_of(const SearchSpace& space, const Arch& arch, Encoding encoding) {
  std::vector<double> row(static_cast<std::size_t>(num_columns(space, encoding)), -1.0);
  encode(space, arch, encoding, row);
  return row;
}

int num_active(const SearchSpace& space, const Arch& arch) {
  int count = 0;
  for (int g = 0; g < static_cast<int>(space.genes().size()); ++g) {
    count += is_active(space, arch, g) ? 1 : 0;
  }
  return count;
}

TEST_CASE("one-hot rows of tiny are as written here", "[space][golden]") {
  const SearchSpace space = shipped_space("tiny");
  CHECK(column_names(space, Encoding::kOneHot) ==
        std::vector<std::string>{"resolution=12", "resolution=16", "depth[1]=1", "depth[1]=2",
                                 "kernel_size[1.0]=3", "kernel_size[1.0]=5", "expand_ratio[1.0]=1",
                                 "expand_ratio[1.0]=2", "kernel_size[1.1]=3", "kernel_size[1.1]=5",
                                 "expand_ratio[1.1]=1", "expand_ratio[1.1]=2", "kernel_size[2.0]=3",
                                 "kernel_size[2.0]=5", "expand_ratio[2.0]=2",
                                 "expand_ratio[2.0]=3"});
  CHECK(row_of(space, parse_arch(space, "tiny/v1 r=16 d=1 k=5,3 e=1,3"), Encoding::kOneHot) ==
        std::vector<double>{0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1});
}

TEST_CASE("ordinal rows hold the position and whether it counts", "[space][golden]") {
  const SearchSpace space = shipped_space("mbv3_32px");
  CHECK(num_columns(space, Encoding::kOrdinal) == 40);
  const auto names = column_names(space, Encoding::kOrdinal);
  const auto row =
      row_of(space, parse_arch(space, "mbv3_32px/v1 r=28 d=1,1,3 k=5,7,3.5.7 e=4,6,3.3.3"),
             Encoding::kOrdinal);
  CHECK(names[0] == "resolution");
  CHECK(names[1] == "resolution active");
  CHECK(row[0] == 0.5);
  CHECK(row[1] == 1.0);
  const auto column = [&](const std::string& name) {
    return row[static_cast<std::size_t>(std::find(names.begin(), names.end(), name) -
                                        names.begin())];
  };
  CHECK(column("depth[1]") == 0.0);
  CHECK(column("kernel_size[1.0]") == 0.5);
  CHECK(column("kernel_size[1.1]") == 0.0);
  CHECK(column("kernel_size[1.1] active") == 0.0);
  CHECK(column("kernel_size[3.2]") == 1.0);
  CHECK(column("kernel_size[3.2] active") == 1.0);
}

TEST_CASE("rows have one entry per active gene", "[space][property]") {
  const SearchSpace space = shipped_space("mbv3_32px");
  core::Rng rng = test_rng(1);
  for (int i = 0; i < 200; ++i) {
    const Arch arch = sample(space, rng);
    const auto one_hot = row_of(space, arch, Encoding::kOneHot);
    REQUIRE(std::accumulate(one_hot.begin(), one_hot.end(), 0.0) == num_active(space, arch));
    const auto ordinal = row_of(space, arch, Encoding::kOrdinal);
    double active = 0;
    for (std::size_t c = 1; c < ordinal.size(); c += 2) active += ordinal[c];
    REQUIRE(active == num_active(space, arch));
  }
}

TEST_CASE("different archs have different rows", "[space][property]") {
  const SearchSpace space = shipped_space("tiny");
  for (const Encoding encoding : {Encoding::kOneHot, Encoding::kOrdinal}) {
    std::set<std::vector<double>> rows;
    for (const Arch& arch : enumerate(space)) rows.insert(row_of(space, arch, encoding));
    CHECK(rows.size() == 160);
  }
}

TEST_CASE("a row of the wrong length is refused", "[space][error]") {
  const SearchSpace space = shipped_space("tiny");
  std::vector<double> row(3);
  CHECK_THROWS_WITH(encode(space, largest(space), Encoding::kOneHot, row),
                    "row must have 16 elements, got 3");
}

TEST_CASE("layout versions tell encodings and spaces apart", "[space][unit]") {
  std::set<std::uint64_t> versions;
  for (const char* name : {"tiny", "mbv3_32px"}) {
    for (const Encoding encoding : {Encoding::kOneHot, Encoding::kOrdinal}) {
      versions.insert(layout_version(shipped_space(name), encoding));
    }
  }
  CHECK(versions.size() == 4);
}

}  // namespace
}  // namespace omnifit::space
