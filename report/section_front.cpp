#include "core/units.hpp"
#include "report/blocks.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"
#include "report/svg_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace omnifit::report {
namespace {

/// A cost as the horizontal axis of the trade-off.
struct CostAxis {
  std::string title;
  std::string metric;  ///< as in SearchRun::bounds
  double divisor = 1.0;
  std::function<std::optional<double>(const ArchInfo&, const std::optional<double>& latency_ms)>
      cost;
  std::function<std::string(double)> format;
};

CostAxis latency_axis() {
  return {"latency (ms)", "latency_ms", 1.0,
          [](const ArchInfo&, const std::optional<double>& latency_ms) { return latency_ms; },
          core::format_ms};
}

CostAxis macs_axis(const ReportData& data) {
  double largest = 0.0;
  for (const SearchRun& run : data.searches) {
    for (const SearchCandidate& candidate : run.results) {
      largest = std::max(largest, static_cast<double>(candidate.arch.macs.value_or(0)));
    }
  }
  for (const VerifiedNetwork& network : data.verified) {
    largest = std::max(largest, static_cast<double>(network.arch.macs.value_or(0)));
  }
  const CountScale scale = count_scale(largest);
  return {scale.prefix.empty() ? "MACs" : fmt::format("MACs ({})", scale.prefix), "macs",
          scale.divisor,
          [](const ArchInfo& arch, const std::optional<double>&) {
            return arch.macs ? std::optional(static_cast<double>(*arch.macs)) : std::nullopt;
          },
          [](double macs) { return core::format_count(macs) + " MACs"; }};
}

std::string tooltip(const CostAxis& axis, const std::string& who, double cost, double top1,
                    const std::string& arch) {
  return fmt::format("{}: {} top-1, {}\n{}", who, core::format_percent(top1), axis.format(cost),
                     arch);
}

void add_point(PlotSeries& series, const CostAxis& axis, const std::string& who,
               const std::string& label, const ArchInfo& arch,
               const std::optional<double>& latency_ms, const std::optional<double>& top1) {
  const std::optional<double> cost = axis.cost(arch, latency_ms);
  if (!cost || !top1) return;
  series.points.push_back(
      {*cost / axis.divisor, *top1 * 100.0, tooltip(axis, who, *cost, *top1, arch.text), label});
}

/// Where the figures of the searches come from, as legends say it.
const char* origin(const ReportData& data) {
  if (data.searches.empty()) return "predicted";
  switch (data.searches.front().top1_source) {
    case Top1Source::kMeasured:
      return "measured on validation images";
    case Top1Source::kTable:
      return "from the tables";
    case Top1Source::kPredicted:
      break;
  }
  return "predicted";
}

PlotSeries candidates(const ReportData& data, const CostAxis& axis) {
  PlotSeries series{fmt::format("the search's candidates ({})", origin(data)),
                    5,
                    Marker::kCircle,
                    true,
                    2.6,
                    {},
                    false,
                    {}};
  for (const SearchRun& run : data.searches) {
    if (run.baseline) continue;
    for (const SearchCandidate& one : run.results) {
      add_point(series, axis, run.budget + ", candidate", "", one.arch, one.latency_ms, one.top1);
    }
  }
  return series;
}

/// The front of all subnets, where they were looked at for comparison.
PlotSeries truth(const ReportData& data, const CostAxis& axis) {
  PlotSeries series{
      "the true front (of all subnets)", 2, Marker::kSquare, false, 4.0, {}, false, {}};
  for (const SearchRun& run : data.searches) {
    if (!run.baseline || run.strategy != "exhaustive") continue;
    for (const SearchCandidate& one : run.results) {
      add_point(series, axis, run.budget + ", all subnets", "", one.arch, one.latency_ms, one.top1);
    }
  }
  return series;
}

PlotSeries random_best(const ReportData& data, const CostAxis& axis) {
  PlotSeries series{fmt::format("random search's best per budget ({})", origin(data)),
                    4,
                    Marker::kCross,
                    false,
                    4.0,
                    {},
                    false,
                    {}};
  for (const SearchRun& run : data.searches) {
    if (run.strategy != "random" || run.results.empty()) continue;
    const SearchCandidate& best = run.results.front();
    add_point(series, axis, run.budget + ", random search", "", best.arch, best.latency_ms,
              best.top1);
  }
  return series;
}

PlotSeries measured(const PageContext& page, const CostAxis& axis, bool winners) {
  PlotSeries series =
      winners ? PlotSeries{"winners (measured)", 1, Marker::kDiamond, true, 5.5, {}, false, {}}
              : PlotSeries{"largest and smallest subnet (measured)",
                           6,
                           Marker::kSquare,
                           true,
                           5.0,
                           {},
                           false,
                           {}};
  for (const ResultRow& row : page.rows) {
    const bool compared =
        row.kind == ResultRow::Kind::kLargest || row.kind == ResultRow::Kind::kSmallest;
    if (!row.arch || (winners ? row.kind != ResultRow::Kind::kWinner : !compared)) continue;
    add_point(series, axis, row.budget, readable_bound(row.budget), *row.arch,
              row.measured_latency_ms, row.measured_top1);
  }
  return series;
}

PlotSeries rejected(const ReportData& data, const CostAxis& axis) {
  PlotSeries series{"measured over their budget", 1, Marker::kDiamond, false, 4.2, {}, false, {}};
  for (const VerifiedNetwork& network : data.verified) {
    if (network.role != "over_budget") continue;
    add_point(series, axis, network.budget + ", over budget", "", network.arch,
              network.measured_latency_ms, network.measured_top1);
  }
  return series;
}

/// The absolute bounds of the budgets on this axis, ascending, each once.
std::vector<PlotMark> bounds(const ReportData& data, const CostAxis& axis) {
  std::vector<PlotMark> marks;
  for (const SearchRun& run : data.searches) {
    const auto found = run.bounds.find(axis.metric);
    if (found == run.bounds.end() || !std::isfinite(found->second)) continue;
    const double x = found->second / axis.divisor;
    const bool known =
        std::any_of(marks.begin(), marks.end(), [x](const PlotMark& mark) { return mark.x == x; });
    if (!known) marks.push_back({x, "\u2264 " + axis.format(found->second)});
  }
  std::sort(marks.begin(), marks.end(),
            [](const PlotMark& a, const PlotMark& b) { return a.x < b.x; });
  return marks;
}

/// All marks inside the plot: the range covers the points and the bounds.
Interval covering(const Plot& plot) {
  std::vector<double> values;
  for (const PlotSeries& series : plot.series) {
    for (const PlotPoint& point : series.points) values.push_back(point.x);
  }
  for (const PlotMark& mark : plot.marks) values.push_back(mark.x);
  return padded_interval(values, false);
}

Plot front(const PageContext& page, const CostAxis& axis) {
  Plot plot;
  plot.description = "Top-1 accuracy against " + axis.title;
  plot.x.title = axis.title;
  plot.y.title = "top-1 (%)";
  plot.series = {truth(page.data, axis),       candidates(page.data, axis),
                 random_best(page.data, axis), rejected(page.data, axis),
                 measured(page, axis, false),  measured(page, axis, true)};
  plot.marks = bounds(page.data, axis);
  plot.x.range = covering(plot);
  return plot;
}

constexpr const char* kTableCaption =
    "Higher and further left is better. Dots are what the search found, vertical lines the "
    "budgets. "
    "All figures are those of the space's tables.";
constexpr const char* kUnverifiedCaption =
    "Higher and further left is better. Dots are subnets the search proposes, vertical lines the "
    "budgets. Latencies are estimates; no network has been measured yet.";
constexpr const char* kLatencyCaption =
    "Higher and further left is better. Dots are subnets the search proposes, at their predicted "
    "accuracy "
    "and estimated latency; filled diamonds are the winners as they were measured, on test images "
    "and on "
    "the "
    "device. Vertical lines are the budgets: a winner must stand left of its own line. Predictions "
    "speak "
    "of the validation split, so dots and diamonds may differ by the gap between the two splits.";
constexpr const char* kMeasuredCaption =
    "Higher and further left is better. Dots are subnets the search measured on validation images, "
    "at their estimated latency; filled diamonds are the winners as they were measured, on test "
    "images and on the device. Vertical lines are the budgets: a winner must stand left of its own "
    "line. Dots and diamonds may differ by the gap between the two splits.";
constexpr const char* kMacsCaption =
    "The same networks against multiply-accumulates, which do not depend on the device. Winners of "
    "latency budgets need not lie on this front: the device does not charge every MAC alike.";

}  // namespace

std::string front_section(const PageContext& page) {
  constexpr const char* kHeading = "Accuracy against cost";
  if (page.data.searches.empty() && page.rows.empty()) {
    return section("front", kHeading, missing_from_stage(page.data, "candidates", "search"));
  }
  const bool looked_up = find_row(page.rows, ResultRow::Kind::kLookedUp) != nullptr;
  const bool by_measuring = !page.data.searches.empty() &&
                            page.data.searches.front().top1_source == Top1Source::kMeasured;
  const char* caption = looked_up                    ? kTableCaption
                        : page.data.verified.empty() ? kUnverifiedCaption
                        : by_measuring               ? kMeasuredCaption
                                                     : kLatencyCaption;
  const Plot by_latency = front(page, latency_axis());
  std::string body = has_points(by_latency) ? render_figure(by_latency, caption)
                                            : missing_from_stage(page.data, "latencies", "profile");
  // Tables need not hold MACs.
  const Plot by_macs = front(page, macs_axis(page.data));
  if (has_points(by_macs) || !looked_up) {
    body += render_figure(by_macs, looked_up ? kTableCaption : kMacsCaption);
  }
  return section("front", kHeading, body);
}

}  // namespace omnifit::report
