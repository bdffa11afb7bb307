#include "core/units.hpp"
#include "report/blocks.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"
#include "report/svg_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace omnifit::report {
namespace {

std::vector<std::string> budgets(const ReportData& data) {
  std::vector<std::string> names;
  for (const SearchRun& run : data.searches) {
    if (std::find(names.begin(), names.end(), run.budget) == names.end()) {
      names.push_back(run.budget);
    }
  }
  return names;
}

struct StrategyLook {
  const char* strategy;
  const char* label;
  int color;
  Marker marker;
};

/// How a strategy is called and drawn, the same in every plot.
StrategyLook look_of(const std::string& strategy) {
  static constexpr std::array<StrategyLook, 8> kLooks{
      {{"evolution", "evolution", 0, Marker::kCircle},
       {"reference", "the reference's evolution", 1, Marker::kDiamond},
       {"local_search", "local search", 2, Marker::kCircle},
       {"nsga2", "NSGA-II", 3, Marker::kCircle},
       {"nsga3", "NSGA-III", 3, Marker::kDiamond},
       {"active", "active search", 0, Marker::kCross},
       {"exhaustive", "every subnet", 5, Marker::kSquare},
       {"random", "random search", 4, Marker::kSquare}}};
  for (const StrategyLook& look : kLooks) {
    if (strategy == look.strategy) return look;
  }
  return {"", "", 2, Marker::kSquare};
}

std::string label_of(const std::string& strategy) {
  const StrategyLook look = look_of(strategy);
  return *look.label == '\0' ? strategy : look.label;
}

/// What is drawn over the evaluations.
struct Quality {
  std::string axis;  ///< title of the vertical axis
  std::string what;  ///< for screen readers
  std::optional<double> GenerationPoint::*value;
};

PlotSeries progress(const SearchRun& run, const Quality& quality) {
  const StrategyLook look = look_of(run.strategy);
  PlotSeries series;
  series.name = label_of(run.strategy);
  series.color = look.color;
  series.marker = look.marker;
  series.size_px = 2.4;
  series.join = Join::kSteps;
  series.dashed = run.baseline;
  for (const GenerationPoint& generation : run.generations) {
    const std::optional<double>& value = generation.*quality.value;
    if (!value) continue;
    series.points.push_back(
        {static_cast<double>(generation.num_evaluations), *value * 100.0,
         fmt::format("{} evaluations: {} ({:.0f} % of them feasible)", generation.num_evaluations,
                     core::format_percent(*value), generation.feasible_share * 100.0),
         ""});
  }
  if (series.points.size() > 40) series.marker = Marker::kNone;
  return series;
}

/// "predicted top-1", "validation top-1", "top-1".
std::string top1_name(const ReportData& data) {
  switch (data.searches.front().top1_source) {
    case Top1Source::kPredicted:
      return "predicted top-1";
    case Top1Source::kMeasured:
      return "validation top-1";
    case Top1Source::kTable:
      break;
  }
  return "top-1";
}

Quality best_quality(const ReportData& data) {
  return {fmt::format("best {} (%)", top1_name(data)), "Best accuracy",
          &GenerationPoint::best_top1};
}

Quality front_quality() {
  return {"hypervolume (%)", "Hypervolume of the front", &GenerationPoint::hypervolume};
}

std::string best_text(const SearchRun& run) {
  const std::string name = label_of(run.strategy);
  const std::string evaluations = fmt::format("{} evaluations", run.num_evaluations);
  if (!run.best_top1) {
    return fmt::format("{}: no subnet within the budget in {} ({})", name, evaluations,
                       run.stop_reason);
  }
  return fmt::format("{}: {} after {} ({})", name, unbroken(core::format_percent(*run.best_top1)),
                     evaluations, run.stop_reason);
}

/// A search of every subnet, for comparison: what counts is where it ends.
bool is_truth(const SearchRun& run) { return run.baseline && run.strategy == "exhaustive"; }

/// A line across the plot where the best of all subnets, or their front, lies.
PlotSeries level(const ReportData& data, const SearchRun& truth, const Quality& quality) {
  PlotSeries series = progress(truth, quality);
  if (series.points.empty()) return series;
  std::int64_t last = 0;
  for (const SearchRun& run : data.searches) {
    if (run.budget == truth.budget && !is_truth(run)) last = std::max(last, run.num_evaluations);
  }
  PlotPoint end = series.points.back();
  end.tooltip = fmt::format("of every subnet: {:.2f} %", end.y);
  PlotPoint begin = end;
  begin.x = 0.0;
  end.x = static_cast<double>(last);
  series.points = {begin, end};
  series.join = Join::kLine;
  series.marker = Marker::kNone;
  return series;
}

std::string front_text(const SearchRun& run) {
  const std::string name = label_of(run.strategy);
  if (!run.hypervolume) return name + ": no front";
  return fmt::format("{}: {} in the end", name, unbroken(core::format_percent(*run.hypervolume)));
}

/// The runs of one budget as a small plot; budgets whose generations were not stored are said in
/// words.
std::string budget_figure(const ReportData& data, const std::string& budget,
                          const Quality& quality) {
  Plot plot;
  plot.description = quality.what + " over evaluations, " + readable_bound(budget);
  plot.x.title = "subnets evaluated";
  plot.x.from_zero = true;
  plot.y.title = quality.axis;
  const bool of_front = quality.value == &GenerationPoint::hypervolume;
  std::string caption;
  for (const SearchRun& run : data.searches) {
    if (run.budget != budget) continue;
    plot.series.push_back(is_truth(run) ? level(data, run, quality) : progress(run, quality));
    caption +=
        (caption.empty() ? "" : "<br/>") + escape_html(of_front ? front_text(run) : best_text(run));
  }
  if (!has_points(plot)) {
    return fmt::format("<div class=\"small\"><h3>{}</h3>\n<p class=\"missing\">{}</p></div>\n",
                       budget_html(budget), caption);
  }
  return render_small_figure(plot, readable_bound(budget), caption);
}

/// How the search compares with one baseline over all budgets; empty where there is nothing to
/// compare.
std::string verdict(const ReportData& data, const std::string& baseline) {
  std::size_t compared = 0;
  std::size_t better = 0;
  double gain = 0.0;
  std::string strategy;
  for (const SearchRun& run : data.searches) {
    if (run.baseline || !run.best_top1) continue;
    for (const SearchRun& other : data.searches) {
      if (!other.baseline || other.strategy != baseline || other.budget != run.budget ||
          !other.best_top1) {
        continue;
      }
      strategy = run.strategy;
      ++compared;
      better += *run.best_top1 > *other.best_top1 ? 1 : 0;
      gain += *run.best_top1 - *other.best_top1;
    }
  }
  if (compared == 0) return "";
  return fmt::format(
      "Compared with {}, {} ends higher under {} of {} {}, by {:+.2f} points of {} on average. ",
      label_of(baseline), label_of(strategy), number_word(better), number_word(compared),
      plural(compared, "budget", "budgets"), gain / static_cast<double>(compared) * 100.0,
      top1_name(data));
}

std::string verdicts(const ReportData& data) {
  std::string text;
  std::set<std::string> seen;
  for (const SearchRun& run : data.searches) {
    // How near the truth the search came has a table of its own.
    if (!run.baseline || run.strategy == "exhaustive") continue;
    if (seen.insert(run.strategy).second) text += verdict(data, run.strategy);
  }
  return text;
}

std::vector<PlotSeries> legend_of(const ReportData& data) {
  std::vector<PlotSeries> series;
  std::set<std::string> seen;
  for (const SearchRun& run : data.searches) {
    PlotSeries one = progress(run, front_quality());
    if (one.points.empty()) one = progress(run, best_quality(data));
    if (!one.points.empty() && seen.insert(one.name).second) series.push_back(one);
  }
  return series;
}

/// How far the searches are from the best there is; empty where that is not known.
std::string truth_part(const ReportData& data) {
  std::vector<HtmlRow> rows;
  const auto points = [](double gap) { return fmt::format("{:.2f} points", gap * 100.0); };
  constexpr const char* kNone = "<span class=\"none\">\u2013</span>";
  for (const TruthRow& row : truth_rows(data)) {
    rows.push_back({{budget_html(row.budget), unbroken(core::format_percent(row.best_top1)),
                     row.found_top1 ? unbroken(core::format_percent(*row.found_top1)) : kNone,
                     row.gap ? unbroken(points(*row.gap)) : kNone,
                     row.front_share ? unbroken(core::format_percent(*row.front_share)) : kNone},
                    ""});
  }
  if (rows.empty()) return "";
  return "<p>Every subnet of the space was looked at beside the search, so what it left is "
         "known.</p>\n" +
         html_table({{"Budget", false},
                     {"Best of all", true},
                     {"Found", true},
                     {"Gap", true},
                     {"Share of the true front", true}},
                    rows);
}

bool has_any(const ReportData& data, std::optional<double> GenerationPoint::*value) {
  return std::ranges::any_of(data.searches, [value](const SearchRun& run) {
    return std::ranges::any_of(run.generations, [value](const GenerationPoint& generation) {
      return (generation.*value).has_value();
    });
  });
}

std::string grid(const ReportData& data, const Quality& quality) {
  std::string out = "<div class=\"several\">\n";
  for (const std::string& budget : budgets(data)) out += budget_figure(data, budget, quality);
  return out + "</div>\n";
}

}  // namespace

std::string search_section(const PageContext& page) {
  constexpr const char* kHeading = "Search";
  const ReportData& data = page.data;
  if (data.searches.empty()) {
    return section("search", kHeading, missing_from_stage(data, "searches", "search"));
  }
  std::string body = truth_part(data);
  body += fmt::format(
      "<p>{}Curves show the best feasible subnet so far, by {}; they should rise quickly and then "
      "flatten; dashed ones are baselines.</p>\n",
      escape_html(verdicts(data)), top1_name(data));
  body += render_legend(legend_of(data)) + grid(data, best_quality(data));
  if (!has_any(data, &GenerationPoint::hypervolume)) return section("search", kHeading, body);
  body +=
      "<h3>Fronts</h3>\n<p>How much of the trade-off is found: the hypervolume of the front so "
      "far, "
      "as a share of the box between the best and the worst values that any search of the budget "
      "found. What a search takes over from those of other budgets counts in the end only.</p>\n";
  return section("search", kHeading, body + grid(data, front_quality()));
}

}  // namespace omnifit::report
