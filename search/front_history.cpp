#include "search/front_history.hpp"

#include "core/error.hpp"
#include "search/hypervolume.hpp"
#include "search/pareto.hpp"

#include <algorithm>
#include <limits>

namespace omnifit::search {
namespace {

using Point = std::vector<double>;

struct Coordinate {
  std::string metric;
  double sign = 1.0;  ///< -1: maximised
};

/// What the coordinates of Scorer::trade_off are: the objectives, and with one objective also the
/// bounded metrics.
std::vector<Coordinate> coordinates(const SearchTrace& trace, const Problem& problem) {
  std::vector<Coordinate> found;
  for (const Objective& objective : problem.objectives) {
    const Metric& metric = trace.metrics[trace.column(objective.metric).value()];
    const bool maximise = objective.maximise.value_or(metric.maximise);
    found.push_back({.metric = objective.metric, .sign = maximise ? -1.0 : 1.0});
  }
  if (found.size() > 1) return found;
  for (const Bound& bound : problem.bounds) {
    if (bound.metric == problem.objectives.front().metric) continue;
    found.push_back({.metric = bound.metric, .sign = bound.max ? 1.0 : -1.0});
  }
  return found;
}

/// Lowest and highest value of every coordinate.
struct Box {
  Point low;
  Point high;

  Box(const std::vector<Point>& points, std::size_t dims)
      : low(dims, std::numeric_limits<double>::infinity()),
        high(dims, -std::numeric_limits<double>::infinity()) {
    for (const Point& point : points) {
      for (std::size_t c = 0; c < dims; ++c) {
        low[c] = std::min(low[c], point[c]);
        high[c] = std::max(high[c], point[c]);
      }
    }
  }

  Box(const std::vector<FrontHistory::Axis>& axes, const std::vector<Coordinate>& named) {
    for (std::size_t c = 0; c < axes.size(); ++c) {
      low.push_back(named[c].sign * axes[c].best);
      high.push_back(named[c].sign * axes[c].worst);
    }
  }

  [[nodiscard]] Point scaled(const Point& point) const {
    Point scaled(point.size(), 0.0);
    for (std::size_t c = 0; c < point.size(); ++c) {
      if (high[c] > low[c]) scaled[c] = (point[c] - low[c]) / (high[c] - low[c]);
      // Beyond a box without range there is no scale, but it is beyond.
      if (point[c] > high[c]) scaled[c] = std::max(scaled[c], 1.0);
    }
    return scaled;
  }

  /// Whether how much better a point is than the box cannot be said.
  [[nodiscard]] bool has_no_scale_for(const Point& point) const {
    for (std::size_t c = 0; c < point.size(); ++c) {
      if (high[c] == low[c] && point[c] < low[c]) return true;
    }
    return false;
  }
};

MetricTable table_of(const std::vector<Point>& points, std::size_t dims) {
  MetricTable table(points.size(), dims);
  for (std::size_t i = 0; i < points.size(); ++i)
    std::ranges::copy(points[i], table.row(i).begin());
  return table;
}

void keep_front(std::vector<Point>& points, std::size_t dims) {
  std::vector<Point> front;
  for (const std::size_t i : non_dominated(table_of(points, dims))) front.push_back(points[i]);
  points = std::move(front);
}

/// Trade-offs of what is feasible.
std::vector<Point> feasible_points(const SearchTrace& trace, const Scorer& scorer) {
  std::vector<Point> points;
  for (const Evaluated& member : trace.archive) {
    if (member.score.feasible) points.push_back(scorer.trade_off(member.values));
  }
  return points;
}

/// Of every generation and in the end, in that box.
void fill_hypervolumes(const Box& box, const SearchTrace& trace, const Scorer& scorer,
                       FrontHistory& history) {
  const std::size_t dims = scorer.num_trade_off();
  const Point reference(dims, 1.0);
  std::vector<Point> front;
  std::size_t next = 0;
  const auto grow = [&](std::size_t end) {
    for (; next < end; ++next) {
      const Evaluated& member = trace.archive[next];
      if (member.score.feasible) front.push_back(box.scaled(scorer.trade_off(member.values)));
    }
    keep_front(front, dims);
    return hypervolume(table_of(front, dims), reference);
  };
  for (std::size_t g = 0; g < trace.generations.size(); ++g) {
    history.hypervolume[g] = grow(std::min(
        trace.archive.size(), static_cast<std::size_t>(trace.generations[g].num_evaluations)));
  }
  history.final_hypervolume = grow(trace.archive.size());
}

}  // namespace

FrontHistory front_history(const SearchTrace& trace, const Problem& problem,
                           std::span<const SearchTrace* const> compared) {
  const Scorer scorer(problem, trace.metrics);
  const std::size_t dims = scorer.num_trade_off();
  std::vector<Point> all = feasible_points(trace, scorer);
  for (const SearchTrace* other : compared) {
    if (other == &trace) continue;
    const std::vector<Point> points = feasible_points(*other, scorer);
    all.insert(all.end(), points.begin(), points.end());
  }
  FrontHistory history;
  history.hypervolume.assign(trace.generations.size(), 0.0);
  if (all.empty()) return history;

  const Box box(all, dims);
  const std::vector<Coordinate> named = coordinates(trace, problem);
  for (std::size_t c = 0; c < dims; ++c) {
    history.axes.push_back({.metric = named[c].metric,
                            .best = named[c].sign * box.low[c],
                            .worst = named[c].sign * box.high[c]});
  }
  fill_hypervolumes(box, trace, scorer, history);
  return history;
}

FrontHistory front_history_in(const std::vector<FrontHistory::Axis>& box, const SearchTrace& trace,
                              const Problem& problem) {
  const Scorer scorer(problem, trace.metrics);
  FrontHistory history;
  history.hypervolume.assign(trace.generations.size(), 0.0);
  if (box.empty()) return history;
  const std::vector<Coordinate> named = coordinates(trace, problem);
  const auto same = [](const FrontHistory::Axis& axis, const Coordinate& coordinate) {
    return axis.metric == coordinate.metric;
  };
  OMNIFIT_CHECK(std::ranges::equal(box, named, same), "the box is of another problem");
  history.axes = box;
  const Box scale(box, named);
  const std::vector<Point> points = feasible_points(trace, scorer);
  if (std::ranges::any_of(points, [&](const Point& p) { return scale.has_no_scale_for(p); })) {
    history.final_hypervolume = std::numeric_limits<double>::quiet_NaN();
    history.hypervolume.assign(trace.generations.size(), history.final_hypervolume);
    return history;
  }
  fill_hypervolumes(scale, trace, scorer, history);
  return history;
}

}  // namespace omnifit::search
