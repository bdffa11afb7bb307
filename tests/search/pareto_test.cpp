#include "search/pareto.hpp"

#include "tests/search/points.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <set>
#include <vector>

namespace omnifit::search {
namespace {

using test::kNan;
using test::random_points;
using test::table_of;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool row_has_nan(const MetricTable& points, std::size_t i) {
  for (const double value : points.row(i)) {
    if (std::isnan(value)) return true;
  }
  return false;
}

/// The definition, row against row.
bool slow_dominates(const MetricTable& points, std::size_t a, std::size_t b) {
  bool better = false;
  for (std::size_t c = 0; c < points.row(a).size(); ++c) {
    const double x = points.row(a)[c];
    const double y = points.row(b)[c];
    if (std::isnan(x) || std::isnan(y) || x > y) return false;
    better = better || x < y;
  }
  return better;
}

std::vector<std::size_t> slow_front(const MetricTable& points,
                                    const std::set<std::size_t>& removed) {
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < points.rows(); ++i) {
    if (removed.contains(i) || row_has_nan(points, i)) continue;
    bool dominated = false;
    for (std::size_t j = 0; j < points.rows(); ++j) {
      dominated = dominated || (!removed.contains(j) && slow_dominates(points, j, i));
    }
    if (!dominated) front.push_back(i);
  }
  return front;
}

}  // namespace

TEST_CASE("the front of a hand-made set", "[search][unit]") {
  //            0       1       2       3       4 = 0   5        6
  const MetricTable points = table_of({{1, 5}, {2, 3}, {3, 3}, {4, 1}, {1, 5}, {2, kNan}, {9, 9}});
  CHECK(non_dominated(points) == std::vector<std::size_t>{0, 1, 3, 4});
  CHECK(non_dominated_ranks(points) == std::vector<int>{0, 0, 1, 0, 0, 3, 2});
  CHECK(non_dominated(table_of({})).empty());
  CHECK(non_dominated(table_of({{kNan, 1}})).empty());
  CHECK(non_dominated(table_of({{7, 7}})) == std::vector<std::size_t>{0});
}

TEST_CASE("dominance is strict and a NaN takes no part", "[search][unit]") {
  const auto check = [](std::vector<double> a, std::vector<double> b) { return dominates(a, b); };
  CHECK(check({1, 2}, {1, 3}));
  CHECK_FALSE(check({1, 2}, {1, 2}));
  CHECK_FALSE(check({1, 3}, {2, 2}));
  CHECK_FALSE(check({kNan, 0}, {1, 1}));
  CHECK_FALSE(check({0, 0}, {1, kNan}));
  CHECK(check({-kInfinity, 0}, {1, kInfinity}));
}

TEST_CASE("fronts and ranks equal their definition", "[search][property]") {
  const auto seed = GENERATE(range<std::uint64_t>(0, 40));
  const auto columns = GENERATE(std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4});
  CAPTURE(seed, columns);
  const MetricTable points = random_points(seed, 5 + 2 * seed, columns);
  CHECK(non_dominated(points) == slow_front(points, {}));

  const std::vector<int> ranks = non_dominated_ranks(points);
  std::set<std::size_t> removed;
  int rank = 0;
  for (auto front = slow_front(points, removed); !front.empty();
       front = slow_front(points, removed), ++rank) {
    for (const std::size_t i : front) CHECK(ranks[i] == rank);
    removed.insert(front.begin(), front.end());
  }
  for (std::size_t i = 0; i < points.rows(); ++i)
    CHECK((ranks[i] == rank) == row_has_nan(points, i));
}

TEST_CASE("crowding distances by hand", "[search][unit]") {
  const MetricTable points = table_of({{0, 10}, {99, 99}, {1, 6}, {4, 2}, {10, 0}});
  const std::vector<std::size_t> front = {0, 2, 3, 4};
  const std::vector<double> distances = crowding_distances(points, front);
  REQUIRE(distances.size() == 4);
  CHECK(distances[0] == kInfinity);
  CHECK(distances[1] == Approx(4.0 / 10 + 8.0 / 10));
  CHECK(distances[2] == Approx(9.0 / 10 + 6.0 / 10));
  CHECK(distances[3] == kInfinity);
  CHECK(crowding_distances(points, {}).empty());
  // A constant coordinate tells nothing.
  const std::vector<std::size_t> all = {0, 1, 2};
  CHECK(crowding_distances(table_of({{1, 1}, {1, 1}, {1, 1}}), all) ==
        std::vector<double>{0, 0, 0});
}

}  // namespace omnifit::search
