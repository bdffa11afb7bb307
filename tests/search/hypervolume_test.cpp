#include "search/hypervolume.hpp"

#include "tests/search/points.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <stdexcept>
#include <vector>

namespace omnifit::search {
namespace {

using Catch::Matchers::ContainsSubstring;
using test::kNan;
using test::random_points;
using test::table_of;
using Reference = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Counts unit cells; for integer coordinates in [0, size).
double slow_hypervolume(const MetricTable& points, std::size_t dims, int size) {
  std::vector<int> cell(dims, 0);
  double cells = 0.0;
  while (true) {
    bool covered = false;
    for (std::size_t i = 0; i < points.rows() && !covered; ++i) {
      covered = true;
      for (std::size_t c = 0; c < dims; ++c) covered = covered && points.row(i)[c] <= cell[c];
    }
    cells += covered ? 1.0 : 0.0;
    std::size_t c = 0;
    while (c < dims && ++cell[c] == size) cell[c++] = 0;
    if (c == dims) return cells;
  }
}

}  // namespace

TEST_CASE("hypervolume by hand", "[search][unit]") {
  const Reference plane = {5, 5};
  CHECK(hypervolume(table_of({}), plane) == 0.0);
  CHECK(hypervolume(table_of({{1, 2}}), plane) == 12.0);
  CHECK(hypervolume(table_of({{1, 4}, {2, 2}, {4, 1}, {3, 3}}), plane) == 4.0 + 6.0 + 1.0);
  CHECK(hypervolume(table_of({{5, 0}, {0, 5}, {7, 7}, {kNan, 1}}), plane) == 0.0);
  CHECK(hypervolume(table_of({{3}, {1}, {9}, {2}}), Reference{4}) == 3.0);
  const Reference cube = {3, 3, 3};
  CHECK(hypervolume(table_of({{1, 2, 0}, {1, 2, 0}, {2, 1, 1}}), cube) == 6.0 + 4.0 - 2.0);
  CHECK(hypervolume(table_of({{0, 0, 2}, {2, 0, 0}, {0, 2, 0}, {1, 1, 1}}), cube) ==
        9.0 + 9.0 + 9.0 - 3.0 - 3.0 - 3.0 + 1.0 + 1.0);
  const Reference four = {1, 1, 1, 1};
  CHECK(hypervolume(table_of({{0.5, 0, 0, 0}, {0, 0.5, 0, 0}}), four) == 0.75);
}

TEST_CASE("hypervolume equals the counted cells", "[search][property]") {
  const auto dims = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4},
                             std::size_t{5}, std::size_t{6});
  const auto seed = GENERATE(range<std::uint64_t>(0, 20));
  CAPTURE(dims, seed);
  const MetricTable points = random_points(seed, 1 + seed, dims);
  CHECK(hypervolume(points, Reference(dims, 5.0)) == slow_hypervolume(points, dims, 5));
}

TEST_CASE("hypervolume of fronts that are known in closed form", "[search][golden]") {
  // A quarter of the circle in many points: the area outside it, from below by one step's
  // triangles.
  constexpr int kSteps = 20'000;
  std::vector<std::vector<double>> arc;
  for (int i = 0; i <= kSteps; ++i) {
    const double angle = std::numbers::pi / 2 * i / kSteps;
    arc.push_back({1 - std::cos(angle), 1 - std::sin(angle)});
  }
  CHECK(hypervolume(table_of(arc), Reference{1, 1}) ==
        Approx(std::numbers::pi / 4).epsilon(1.0 / kSteps));
  // Points on the plane x + y + z = n of whole numbers: the steps of a pyramid.
  constexpr int kSide = 12;
  std::vector<std::vector<double>> plane;
  for (int x = 0; x < kSide; ++x) {
    for (int y = 0; x + y < kSide; ++y) plane.push_back({1.0 * x, 1.0 * y, kSide - 1.0 - x - y});
  }
  const double uncovered = kSide * (kSide - 1) * (kSide + 1) / 6.0;
  CHECK(hypervolume(table_of(plane), Reference{kSide, kSide, kSide}) ==
        std::pow(kSide, 3) - uncovered);
}

TEST_CASE("an infinitely good point has an infinite volume", "[search][unit]") {
  CHECK(hypervolume(table_of({{-kInfinity, 1}}), Reference{2, 2}) == kInfinity);
  CHECK(hypervolume(table_of({{-kInfinity, 3}}), Reference{2, 2}) == 0.0);
}

TEST_CASE("hypervolume refuses what has no volume", "[search][error]") {
  for (const double bad : {kInfinity, -kInfinity, kNan}) {
    CHECK_THROWS_AS(hypervolume(table_of({{1, 2}}), Reference{bad, 5}), std::invalid_argument);
    CHECK_THROWS_WITH(hypervolume(table_of({{1, 2}}), Reference{5, bad}),
                      ContainsSubstring("must be finite"));
  }
  CHECK_THROWS_WITH(hypervolume(table_of({{1, 2, 3}}), Reference{5, 5}),
                    ContainsSubstring("rows have 3 coordinates, the reference point 2"));
}

}  // namespace omnifit::search
