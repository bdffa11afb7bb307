// The multi-objective core beside pagmo2 (where that is installed), on the same points in one run:
// non-dominated sorting, crowding distances, exact hypervolume. Each benchmark's name says whose it
// is, how many points and how many coordinates.
#include "core/rng.hpp"
#include "search/hypervolume.hpp"
#include "search/pareto.hpp"

#ifdef OMNIFIT_WITH_PAGMO
#include <pagmo/utils/hypervolume.hpp>
#include <pagmo/utils/multi_objective.hpp>
#endif

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace omnifit::search {
namespace {

using Points = std::vector<std::vector<double>>;

/// Uniform in the unit cube: many fronts, as a population has.
Points cloud(std::size_t rows, std::size_t dims) {
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest, {rows, dims});
  Points points(rows, std::vector<double>(dims));
  for (auto& row : points) {
    for (double& value : row) value = rng.uniform(0.0, 1.0);
  }
  return points;
}

/// One front: points on the part of the unit sphere that faces the origin.
Points sphere(std::size_t rows, std::size_t dims) {
  Points points = cloud(rows, dims);
  for (auto& row : points) {
    double norm = 0.0;
    for (const double value : row) norm += value * value;
    for (double& value : row) value = 1.0 - value / std::sqrt(norm);
  }
  return points;
}

MetricTable table_of(const Points& points) {
  MetricTable table(points.size(), points.front().size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::ranges::copy(points[i], table.row(i).begin());
  }
  return table;
}

std::size_t rows_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}
std::size_t dims_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(1));
}

void sort_omnifit(benchmark::State& state) {
  const MetricTable points = table_of(cloud(rows_of(state), dims_of(state)));
  for (auto _ : state) benchmark::DoNotOptimize(non_dominated_ranks(points));
}
void crowding_omnifit(benchmark::State& state) {
  const MetricTable points = table_of(sphere(rows_of(state), dims_of(state)));
  std::vector<std::size_t> all(points.rows());
  std::iota(all.begin(), all.end(), std::size_t{0});
  for (auto _ : state) benchmark::DoNotOptimize(crowding_distances(points, all));
}
void hypervolume_omnifit(benchmark::State& state) {
  const MetricTable points = table_of(sphere(rows_of(state), dims_of(state)));
  const std::vector<double> reference(dims_of(state), 1.1);
  for (auto _ : state) benchmark::DoNotOptimize(hypervolume(points, reference));
}

void sort_sizes(benchmark::internal::Benchmark* bench) {
  bench->Args({2000, 2})->Args({2000, 3})->Args({2000, 5})->Unit(benchmark::kMicrosecond);
}
void crowding_sizes(benchmark::internal::Benchmark* bench) {
  bench->Args({2000, 2})->Args({2000, 3})->Unit(benchmark::kMicrosecond);
}
void hypervolume_sizes(benchmark::internal::Benchmark* bench) {
  bench->Args({2000, 2})->Args({2000, 3})->Args({200, 4})->Args({100, 5})->Args({60, 6})->Unit(
      benchmark::kMicrosecond);
}

BENCHMARK(sort_omnifit)->Apply(sort_sizes);
#ifdef OMNIFIT_WITH_PAGMO
void sort_pagmo(benchmark::State& state) {
  const Points points = cloud(rows_of(state), dims_of(state));
  for (auto _ : state) benchmark::DoNotOptimize(pagmo::fast_non_dominated_sorting(points));
}
BENCHMARK(sort_pagmo)->Apply(sort_sizes);
#endif

BENCHMARK(crowding_omnifit)->Apply(crowding_sizes);
#ifdef OMNIFIT_WITH_PAGMO
void crowding_pagmo(benchmark::State& state) {
  const Points points = sphere(rows_of(state), dims_of(state));
  for (auto _ : state) benchmark::DoNotOptimize(pagmo::crowding_distance(points));
}
BENCHMARK(crowding_pagmo)->Apply(crowding_sizes);
#endif

BENCHMARK(hypervolume_omnifit)->Apply(hypervolume_sizes);
#ifdef OMNIFIT_WITH_PAGMO
void hypervolume_pagmo(benchmark::State& state) {
  const Points points = sphere(rows_of(state), dims_of(state));
  const std::vector<double> reference(dims_of(state), 1.1);
  // Not checked beforehand, as ours is not, but it sorts its points in place: a copy for each.
  for (auto _ : state) {
    benchmark::DoNotOptimize(pagmo::hypervolume(points, false).compute(reference));
  }
}
BENCHMARK(hypervolume_pagmo)->Apply(hypervolume_sizes);
#endif

}  // namespace
}  // namespace omnifit::search

BENCHMARK_MAIN();
