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

PlotSeries progress(const SearchRun& run) {
  const StrategyLook look = look_of(run.strategy);
  PlotSeries series;
  series.name = label_of(run.strategy);
  series.color = look.color;
  series.marker = look.marker;
  series.size_px = 2.4;
  series.join = Join::kSteps;
  series.dashed = run.baseline;
  for (const GenerationPoint& generation : run.generations) {
    if (!generation.best_top1) continue;
    series.points.push_back(
        {static_cast<double>(generation.num_evaluations), *generation.best_top1 * 100.0,
         fmt::format("{} evaluations: {} ({:.0f} % of them feasible)", generation.num_evaluations,
                     core::format_percent(*generation.best_top1),
                     generation.feasible_share * 100.0),
         ""});
  }
  if (series.points.size() > 40) series.marker = Marker::kNone;
  return series;
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

/// The runs of one budget as a small plot; budgets whose generations were not stored are said in
/// words.
std::string budget_figure(const ReportData& data, const std::string& budget) {
  Plot plot;
  plot.description = "Best predicted accuracy over evaluations, " + readable_bound(budget);
  plot.x.title = "subnets evaluated";
  plot.x.from_zero = true;
  plot.y.title = "best predicted top-1 (%)";
  std::string caption;
  for (const SearchRun& run : data.searches) {
    if (run.budget != budget) continue;
    plot.series.push_back(progress(run));
    caption += (caption.empty() ? "" : "<br/>") + escape_html(best_text(run));
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
      "Compared with {}, {} ends higher under {} of {} {}, by {:+.2f} points of predicted top-1 on "
      "average. ",
      label_of(baseline), label_of(strategy), number_word(better), number_word(compared),
      plural(compared, "budget", "budgets"), gain / static_cast<double>(compared) * 100.0);
}

std::string verdicts(const ReportData& data) {
  std::string text;
  std::set<std::string> seen;
  for (const SearchRun& run : data.searches) {
    if (run.baseline && seen.insert(run.strategy).second) text += verdict(data, run.strategy);
  }
  return text;
}

std::vector<PlotSeries> legend_of(const ReportData& data) {
  std::vector<PlotSeries> series;
  std::set<std::string> seen;
  for (const SearchRun& run : data.searches) {
    PlotSeries one = progress(run);
    if (!one.points.empty() && seen.insert(one.name).second) series.push_back(one);
  }
  return series;
}

}  // namespace

std::string search_section(const PageContext& page) {
  constexpr const char* kHeading = "Search";
  const ReportData& data = page.data;
  if (data.searches.empty()) {
    return section("search", kHeading, missing_from_stage(data, "searches", "search"));
  }
  std::string body = fmt::format(
      "<p>{}Curves show the best feasible subnet so far, by predicted accuracy; they should rise "
      "quickly and then flatten; dashed ones are baselines.</p>\n",
      escape_html(verdicts(data)));
  body += render_legend(legend_of(data)) + "<div class=\"several\">\n";
  for (const std::string& budget : budgets(data)) body += budget_figure(data, budget);
  return section("search", kHeading, body + "</div>\n");
}

}  // namespace omnifit::report
