#include "search/hypervolume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

namespace omnifit::search {
namespace {

/// Rows of equal length, one after the other.
struct Rows {
  std::vector<double> values;
  std::size_t dims = 0;

  [[nodiscard]] std::size_t size() const { return values.size() / dims; }
  [[nodiscard]] const double* operator[](std::size_t i) const { return values.data() + i * dims; }
};

/// Sorts rows of `kDims` coordinates by `less`; the rows move as values, not through an index.
template <std::size_t kDims, class Less>
std::vector<std::array<double, kDims>> sorted_rows(const Rows& rows, Less less) {
  std::vector<std::array<double, kDims>> sorted(rows.size());
  for (std::size_t i = 0; i < sorted.size(); ++i) std::copy_n(rows[i], kDims, sorted[i].begin());
  std::sort(sorted.begin(), sorted.end(), less);
  return sorted;
}

/// From left to right: each point that is lower than all before adds the box from it to the
/// reference, down from the lowest so far.
double area_2d(const Rows& rows, const double* reference) {
  double area = 0.0;
  double lowest = reference[1];
  for (const auto& [x, y] : sorted_rows<2>(rows, std::less<>())) {
    if (y >= lowest) continue;
    area += (reference[0] - x) * (lowest - y);
    lowest = y;
  }
  return area;
}

/// The front of the points seen so far in a plane: x ascends, y falls.
class Staircase {
 public:
  Staircase(double right, double top) : right_(right), top_(top) {}

  [[nodiscard]] double area() const { return area_; }

  void add(double x, double y) {
    auto next =
        std::ranges::lower_bound(steps_, x, std::less<>(), [](const Step& s) { return s.x; });
    if (next != steps_.end() && next->x == x && next->y <= y) return;
    double upper = next == steps_.begin() ? top_ : std::prev(next)->y;
    if (upper <= y) return;
    // What is new lies left of each step that the point hides, and at last left of the first one
    // it does not.
    const auto first = next;
    double left = x;
    for (; next != steps_.end() && next->y >= y; ++next) {
      area_ += (next->x - left) * (upper - y);
      upper = next->y;
      left = next->x;
    }
    area_ += ((next == steps_.end() ? right_ : next->x) - left) * (upper - y);
    if (first == next) {
      steps_.insert(first, {x, y});
    } else {
      *first = {x, y};
      steps_.erase(std::next(first), next);
    }
  }

 private:
  struct Step {
    double x = 0.0;
    double y = 0.0;
  };
  double right_;
  double top_;
  double area_ = 0.0;
  std::vector<Step> steps_;
};

using Point = std::array<double, 3>;

/// Upwards along the third coordinate, over the area that is dominated there. @pre it ascends
double volume_above(std::span<const Point> points, const double* reference) {
  if (points.empty()) return 0.0;
  Staircase staircase(reference[0], reference[1]);
  double volume = 0.0;
  double height = points.front()[2];
  for (const auto& [x, y, z] : points) {
    volume += staircase.area() * (z - height);
    height = z;
    staircase.add(x, y);
  }
  return volume + staircase.area() * (reference[2] - height);
}

bool third_is_less(const Point& a, const Point& b) { return a[2] < b[2]; }

double volume_3d(const Rows& rows, const double* reference) {
  return volume_above(sorted_rows<3>(rows, third_is_less), reference);
}

bool covers(const double* a, const double* b, std::size_t dims) {
  for (std::size_t c = 0; c < dims; ++c) {
    if (a[c] > b[c]) return false;
  }
  return true;
}

/// Appends a row unless one that is there is nowhere worse; drops those that are nowhere better.
void insert_non_dominated(Rows& rows, const double* row) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (covers(rows[i], row, rows.dims)) return;  // then it has replaced nothing yet
    if (covers(row, rows[i], rows.dims)) continue;
    if (kept != i) std::copy_n(rows[i], rows.dims, rows.values.begin() + kept * rows.dims);
    ++kept;
  }
  rows.values.resize(kept * rows.dims);
  rows.values.insert(rows.values.end(), row, row + rows.dims);
}

double volume(const Rows& rows, const double* reference);

/// The rows by their last coordinate, worst first.
std::vector<const double*> slices(const Rows& rows) {
  const std::size_t last = rows.dims - 1;
  std::vector<const double*> order(rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = rows[i];
  std::sort(order.begin(), order.end(), [&](const double* a, const double* b) {
    if (a[last] != b[last]) return a[last] > b[last];
    return std::lexicographical_compare(a, a + last, b, b + last);
  });
  return order;
}

/// Volume between a point and the reference in the first coordinates.
double box(const double* point, const double* reference, std::size_t dims) {
  double volume = 1.0;
  for (std::size_t c = 0; c < dims; ++c) volume *= reference[c] - point[c];
  return volume;
}

/// Slices along the last coordinate. What a point dominates and no later one does has the point's
/// own height: later points are lower, so only the other coordinates matter, and of a later point
/// only what lies within the point's own box.
double volume_by_slices(const Rows& rows, const double* reference) {
  const std::size_t last = rows.dims - 1;
  const std::vector<const double*> order = slices(rows);
  double total = 0.0;
  Rows limited{.values = {}, .dims = last};
  std::vector<double> row(last);
  for (std::size_t i = 0; i < order.size(); ++i) {
    limited.values.clear();
    for (std::size_t j = i + 1; j < order.size(); ++j) {
      for (std::size_t c = 0; c < last; ++c) row[c] = std::max(order[i][c], order[j][c]);
      insert_non_dominated(limited, row.data());
    }
    total += (box(order[i], reference, last) - volume(limited, reference)) *
             (reference[last] - order[i][last]);
  }
  return total;
}

/// The same for four coordinates. The order along the third one is that of the whole set in every
/// slice, so it is sorted once.
double volume_4d(const Rows& rows, const double* reference) {
  const std::vector<const double*> order = slices(rows);
  std::vector<std::size_t> upwards(order.size());
  std::iota(upwards.begin(), upwards.end(), std::size_t{0});
  std::sort(upwards.begin(), upwards.end(), [&](std::size_t a, std::size_t b) {
    return order[a][2] != order[b][2] ? order[a][2] < order[b][2] : a < b;
  });
  double total = 0.0;
  std::vector<Point> limited;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double* point = order[i];
    limited.clear();
    for (const std::size_t j : upwards) {
      if (j <= i) continue;
      limited.push_back({std::max(point[0], order[j][0]), std::max(point[1], order[j][1]),
                         std::max(point[2], order[j][2])});
    }
    total +=
        (box(point, reference, 3) - volume_above(limited, reference)) * (reference[3] - point[3]);
  }
  return total;
}

double volume(const Rows& rows, const double* reference) {
  if (rows.values.empty()) return 0.0;
  switch (rows.dims) {
    case 1:
      return *reference - *std::ranges::min_element(rows.values);
    case 2:
      return area_2d(rows, reference);
    case 3:
      return volume_3d(rows, reference);
    case 4:
      return volume_4d(rows, reference);
    default:
      return volume_by_slices(rows, reference);
  }
}

}  // namespace

double hypervolume(const MetricTable& points, std::span<const double> reference) {
  const bool finite =
      std::ranges::all_of(reference, [](double value) { return std::isfinite(value); });
  if (!finite || reference.empty()) {
    throw std::invalid_argument(fmt::format(
        "hypervolume: the reference point must be finite, got ({})", fmt::join(reference, ", ")));
  }
  Rows rows{.values = {}, .dims = reference.size()};
  for (std::size_t i = 0; i < points.rows(); ++i) {
    const auto row = points.row(i);
    if (row.size() != reference.size()) {
      throw std::invalid_argument(
          fmt::format("hypervolume: rows have {} coordinates, the reference point {}", row.size(),
                      reference.size()));
    }
    // Written so that a NaN is not inside.
    bool inside = true;
    for (std::size_t c = 0; c < row.size(); ++c) inside = inside && row[c] < reference[c];
    if (!inside) continue;
    if (std::ranges::any_of(row, [](double value) { return std::isinf(value); })) {
      return std::numeric_limits<double>::infinity();
    }
    rows.values.insert(rows.values.end(), row.begin(), row.end());
  }
  // The slices multiply the work with every point: those that add nothing go first.
  if (rows.dims > 3) {
    Rows front{.values = {}, .dims = rows.dims};
    for (std::size_t i = 0; i < rows.size(); ++i) insert_non_dominated(front, rows[i]);
    rows = std::move(front);
  }
  return volume(rows, reference.data());
}

}  // namespace omnifit::search
