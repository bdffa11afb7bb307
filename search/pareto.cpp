#include "search/pareto.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>

namespace omnifit::search {
namespace {

bool has_nan(std::span<const double> row) {
  return std::any_of(row.begin(), row.end(), [](double value) { return std::isnan(value); });
}

/// Rows without a NaN in lexicographic order, so that only an earlier row can dominate a later one,
/// equal rows side by side. The rows are copied: comparing them walks through memory in order.
struct SortedRows {
  std::vector<std::size_t> index;  ///< in the table
  std::vector<double> values;
  std::size_t columns = 0;

  explicit SortedRows(const MetricTable& points) {
    for (std::size_t i = 0; i < points.rows(); ++i) {
      if (!has_nan(points.row(i))) index.push_back(i);
    }
    if (index.empty()) return;
    columns = points.row(0).size();
    std::sort(index.begin(), index.end(), [&](std::size_t a, std::size_t b) {
      const auto row_a = points.row(a);
      const auto row_b = points.row(b);
      for (std::size_t c = 0; c < columns; ++c) {
        if (row_a[c] != row_b[c]) return row_a[c] < row_b[c];
      }
      return a < b;
    });
    values.reserve(index.size() * columns);
    for (const std::size_t i : index) {
      const auto row = points.row(i);
      values.insert(values.end(), row.begin(), row.end());
    }
  }

  [[nodiscard]] std::size_t size() const { return index.size(); }
  [[nodiscard]] const double* row(std::size_t i) const { return values.data() + i * columns; }
  [[nodiscard]] bool equals_previous(std::size_t i) const {
    return i > 0 && std::equal(row(i), row(i) + columns, row(i - 1));
  }
  /// Whether row `a` dominates row `b`. @pre a stands before b and differs from it
  [[nodiscard]] bool earlier_dominates(std::size_t a, std::size_t b) const {
    const double* row_a = row(a);
    const double* row_b = row(b);
    for (std::size_t c = 1; c < columns; ++c) {
      if (row_a[c] > row_b[c]) return false;
    }
    return true;
  }
};

/// Members of one front, by position among the sorted rows.
using Front = std::vector<std::size_t>;

bool any_dominates(const SortedRows& rows, const Front& front, std::size_t row) {
  // With two coordinates the last member has the smallest second one so far, so it alone decides;
  // with more the nearest member is still the likeliest.
  const std::size_t first = rows.columns == 2 ? front.size() - 1 : 0;
  for (std::size_t i = front.size(); i-- > first;) {
    if (rows.earlier_dominates(front[i], row)) return true;
  }
  return false;
}

/// A member of a front on one axis.
struct Coordinate {
  double value = 0.0;
  std::size_t row = 0;
  std::size_t position = 0;  ///< in the front
};

/// Equal values by row. They are rare, so the comparisons of the sort leave them out.
void sort_by_value(std::vector<Coordinate>& line) {
  std::ranges::sort(line, std::less<>(), &Coordinate::value);
  for (auto begin = line.begin(); begin != line.end();) {
    auto end = std::next(begin);
    while (end != line.end() && end->value == begin->value) ++end;
    if (end - begin > 1) std::ranges::sort(begin, end, std::less<>(), &Coordinate::row);
    begin = end;
  }
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
  const SortedRows rows(points);
  Front front;
  std::vector<std::size_t> kept;
  bool on_front = false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows.equals_previous(i)) {
      on_front = front.empty() || !any_dominates(rows, front, i);
      if (on_front) front.push_back(i);
    }
    if (on_front) kept.push_back(rows.index[i]);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

std::vector<int> non_dominated_ranks(const MetricTable& points) {
  const SortedRows rows(points);
  std::vector<Front> fronts;
  std::vector<int> ranks(points.rows(), -1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows.equals_previous(i)) {
      ranks[rows.index[i]] = ranks[rows.index[i - 1]];
      continue;
    }
    // Whoever is dominated from a front is dominated from every front before it.
    const auto front = std::partition_point(
        fronts.begin(), fronts.end(), [&](const Front& f) { return any_dominates(rows, f, i); });
    ranks[rows.index[i]] = static_cast<int>(front - fronts.begin());
    if (front == fronts.end()) {
      fronts.push_back({i});
    } else {
      front->push_back(i);
    }
  }
  std::replace(ranks.begin(), ranks.end(), -1, static_cast<int>(fronts.size()));
  return ranks;
}

std::vector<double> crowding_distances(const MetricTable& points,
                                       std::span<const std::size_t> front) {
  std::vector<double> distances(front.size(), 0.0);
  if (front.empty()) return distances;
  std::vector<Coordinate> line(front.size());
  for (std::size_t i = 0; i < front.size(); ++i) line[i] = {0.0, front[i], i};
  for (std::size_t c = 0; c < points.row(front[0]).size(); ++c) {
    // In the order of the coordinate before: of two, the second one falls where the first rises.
    for (Coordinate& member : line) member.value = points.row(member.row)[c];
    sort_by_value(line);
    const double range = line.back().value - line.front().value;
    if (!(range > 0.0)) continue;
    distances[line.front().position] = std::numeric_limits<double>::infinity();
    distances[line.back().position] = std::numeric_limits<double>::infinity();
    for (std::size_t i = 1; i + 1 < line.size(); ++i)
      distances[line[i].position] += (line[i + 1].value - line[i - 1].value) / range;
  }
  return distances;
}

}  // namespace omnifit::search
