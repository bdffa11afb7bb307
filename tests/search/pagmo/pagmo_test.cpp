// Compiled only where pagmo2 is installed: an independent judge of the multi-objective core.
#include "search/hypervolume.hpp"
#include "search/pareto.hpp"
#include "tests/search/points.hpp"
#include "tests/support/catch.hpp"

#include <pagmo/utils/hypervolume.hpp>
#include <pagmo/utils/multi_objective.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace omnifit::search {
namespace {

using Points = std::vector<std::vector<double>>;

Points random_reals(core::Rng& rng, std::size_t rows, std::size_t dims) {
  Points points(rows, std::vector<double>(dims));
  for (auto& row : points) {
    for (double& value : row) value = rng.uniform(0.0, 1.0);
  }
  return points;
}

/// Few distinct values: equal rows and ties everywhere.
Points duplicate_laden(core::Rng& rng, std::size_t rows, std::size_t dims) {
  Points points(rows, std::vector<double>(dims));
  for (auto& row : points) {
    for (double& value : row) value = static_cast<double>(rng.below(5)) / 8.0;
  }
  return points;
}

/// One coordinate constant, the others on a line: everything is on one front or on its own.
Points degenerate(core::Rng& rng, std::size_t rows, std::size_t dims) {
  Points points = random_reals(rng, rows, dims);
  const double sign = rng.bernoulli(0.5) ? 1.0 : -1.0;
  for (auto& row : points) {
    row[dims - 1] = 0.25;
    for (std::size_t c = 1; c + 1 < dims; ++c) row[c] = 0.5 + sign * (row[0] - 0.5);
  }
  return points;
}

Points points_of_kind(const std::string& kind, core::Rng& rng, std::size_t rows, std::size_t dims) {
  if (kind == "random") return random_reals(rng, rows, dims);
  if (kind == "duplicate-laden") return duplicate_laden(rng, rows, dims);
  return degenerate(rng, rows, dims);
}

}  // namespace

TEST_CASE("ranks, crowding and hypervolume equal pagmo2's", "[search][contract]") {
  const auto dims = GENERATE(std::size_t{2}, std::size_t{3}, std::size_t{4}, std::size_t{5});
  const std::string kind = GENERATE(std::string("random"), "duplicate-laden", "degenerate");
  const auto seed = GENERATE(range<std::uint64_t>(0, 12));
  CAPTURE(dims, kind, seed);
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest, {dims});
  const Points points = points_of_kind(kind, rng, 3 + 15 * seed, dims);
  const MetricTable table = test::table_of(points);

  const auto [fronts, dominated, counts, ranks] = pagmo::fast_non_dominated_sorting(points);
  CHECK(non_dominated_ranks(table) == std::vector<int>(ranks.begin(), ranks.end()));
  std::vector<std::size_t> first(fronts.front().begin(), fronts.front().end());
  std::ranges::sort(first);
  CHECK(non_dominated(table) == first);

  // Among equal rows, and where the range is zero, pagmo's distances depend on the order of its
  // sort or are not numbers.
  if (kind == "random") {
    for (const auto& front : fronts) {
      if (front.size() < 2) continue;
      Points members;
      for (const auto i : front) members.push_back(points[i]);
      const std::vector<std::size_t> own(front.begin(), front.end());
      const std::vector<double> distances = crowding_distances(table, own);
      const std::vector<double> theirs = pagmo::crowding_distance(members);
      for (std::size_t i = 0; i < own.size(); ++i) CHECK(distances[i] == Approx(theirs[i]));
    }
  }

  const std::vector<double> reference(dims, 1.5);
  CHECK(hypervolume(table, reference) ==
        Approx(pagmo::hypervolume(points, true).compute(reference)).epsilon(1e-12));
}

}  // namespace omnifit::search
