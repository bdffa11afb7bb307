#include "search/pareto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace omnifit::search {
namespace {

bool has_nan(std::span<const double> row) {
  return std::any_of(row.begin(), row.end(), [](double value) { return std::isnan(value); });
}

/// Keeps of `candidates` those that no other candidate dominates.
std::vector<std::size_t> front_of(const MetricTable& points, std::vector<std::size_t> candidates) {
  // In lexicographic order only an earlier row can dominate a later one, and then a member of the
  // front does.
  std::sort(candidates.begin(), candidates.end(), [&](std::size_t a, std::size_t b) {
    const auto row_a = points.row(a);
    const auto row_b = points.row(b);
    if (std::ranges::lexicographical_compare(row_a, row_b)) return true;
    return !std::ranges::lexicographical_compare(row_b, row_a) && a < b;
  });
  std::vector<std::size_t> front;
  for (const std::size_t candidate : candidates) {
    const auto row = points.row(candidate);
    // With two coordinates the last member has the smallest second one so far, so it alone decides.
    const std::size_t first = row.size() == 2 && !front.empty() ? front.size() - 1 : 0;
    const bool dominated =
        std::any_of(front.begin() + static_cast<std::ptrdiff_t>(first), front.end(),
                    [&](std::size_t member) { return dominates(points.row(member), row); });
    if (!dominated) front.push_back(candidate);
  }
  std::sort(front.begin(), front.end());
  return front;
}

std::vector<std::size_t> rows_without_nan(const MetricTable& points) {
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < points.rows(); ++i) {
    if (!has_nan(points.row(i))) rows.push_back(i);
  }
  return rows;
}

}  // namespace

bool dominates(std::span<const double> a, std::span<const double> b) {
  bool somewhere_better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    // Written so that a NaN on either side ends the comparison.
    if (!(a[i] <= b[i])) return false;
    somewhere_better = somewhere_better || a[i] < b[i];
  }
  return somewhere_better;
}

std::vector<std::size_t> non_dominated(const MetricTable& points) {
  return front_of(points, rows_without_nan(points));
}

std::vector<int> non_dominated_ranks(const MetricTable& points) {
  constexpr int kUnranked = -1;
  std::vector<int> ranks(points.rows(), kUnranked);
  std::vector<std::size_t> left = rows_without_nan(points);
  int rank = 0;
  for (; !left.empty(); ++rank) {
    for (const std::size_t row : front_of(points, left)) ranks[row] = rank;
    std::erase_if(left, [&](std::size_t row) { return ranks[row] != kUnranked; });
  }
  std::replace(ranks.begin(), ranks.end(), kUnranked, rank);
  return ranks;
}

std::vector<double> crowding_distances(const MetricTable& points,
                                       std::span<const std::size_t> front) {
  std::vector<double> distances(front.size(), 0.0);
  if (front.empty()) return distances;
  std::vector<std::size_t> order(front.size());
  for (std::size_t c = 0; c < points.row(front[0]).size(); ++c) {
    const auto value = [&](std::size_t position) { return points.row(front[order[position]])[c]; };
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const double value_a = points.row(front[a])[c];
      const double value_b = points.row(front[b])[c];
      return value_a != value_b ? value_a < value_b : front[a] < front[b];
    });
    const double range = value(order.size() - 1) - value(0);
    if (!(range > 0.0)) continue;
    distances[order.front()] = distances[order.back()] = std::numeric_limits<double>::infinity();
    for (std::size_t i = 1; i + 1 < order.size(); ++i)
      distances[order[i]] += (value(i + 1) - value(i - 1)) / range;
  }
  return distances;
}

double hypervolume_2d(const MetricTable& points, std::array<double, 2> reference) {
  if (!std::isfinite(reference[0]) || !std::isfinite(reference[1])) {
    throw std::invalid_argument(
        fmt::format("hypervolume_2d: the reference point must be finite, got ({}, {})",
                    reference[0], reference[1]));
  }
  if (points.rows() > 0 && points.row(0).size() != 2) {
    throw std::invalid_argument(
        fmt::format("hypervolume_2d: rows must have 2 coordinates, got {}", points.row(0).size()));
  }
  std::vector<std::array<double, 2>> inside;
  for (std::size_t i = 0; i < points.rows(); ++i) {
    const auto row = points.row(i);
    if (row[0] < reference[0] && row[1] < reference[1]) inside.push_back({row[0], row[1]});
  }
  std::sort(inside.begin(), inside.end());
  // Sweep from left to right: each point that is lower than all before adds the box from it to the
  // reference, down from the lowest so far.
  double area = 0.0;
  double lowest = reference[1];
  for (const auto& point : inside) {
    if (point[1] >= lowest) continue;
    area += (reference[0] - point[0]) * (lowest - point[1]);
    lowest = point[1];
  }
  return area;
}

}  // namespace omnifit::search
