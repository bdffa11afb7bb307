#include "core/units.hpp"
#include "report/blocks.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"
#include "report/svg_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace omnifit::report {
namespace {

/// More points than that hide each other and only make the page heavy.
constexpr std::size_t kMaxScatterPoints = 1200;

std::size_t stride_for(std::size_t count) {
  return std::max<std::size_t>(1, (count + kMaxScatterPoints - 1) / kMaxScatterPoints);
}

std::string thinning_note(std::size_t count) {
  const std::size_t stride = stride_for(count);
  return stride == 1 ? "" : fmt::format(" One in {} of the {} subnets is drawn.", stride, count);
}

Plot collected(const std::vector<AccuracyPoint>& accuracies) {
  double largest = 0.0;
  for (const AccuracyPoint& one : accuracies) {
    largest = std::max(largest, static_cast<double>(one.macs));
  }
  const CountScale scale = count_scale(largest);
  Plot plot;
  plot.description = "Measured validation accuracy of sampled subnets against their MACs";
  plot.x.title = scale.prefix.empty() ? "MACs" : fmt::format("MACs ({})", scale.prefix);
  plot.y.title = "validation top-1 (%)";
  PlotSeries series{"", 0, Marker::kCircle, false, 3.2, {}, false, {}};
  for (std::size_t i = 0; i < accuracies.size(); i += stride_for(accuracies.size())) {
    const AccuracyPoint& one = accuracies[i];
    const auto macs = static_cast<double>(one.macs);
    series.points.push_back({macs / scale.divisor, one.top1 * 100.0,
                             fmt::format("{} top-1, {} MACs\n{}", core::format_percent(one.top1),
                                         core::format_count(macs), one.arch),
                             ""});
  }
  plot.series = {series};
  return plot;
}

/// Whether the search did without a predictor.
bool search_measured(const ReportData& data) {
  return !data.searches.empty() && data.searches.front().top1_source == Top1Source::kMeasured;
}

std::string collected_part(const ReportData& data) {
  if (data.accuracies.empty()) {
    return missing_from_stage(data, "measured accuracies", "collect");
  }
  const auto [low, high] = std::minmax_element(
      data.accuracies.begin(), data.accuracies.end(),
      [](const AccuracyPoint& a, const AccuracyPoint& b) { return a.top1 < b.top1; });
  return render_figure(
      collected(data.accuracies),
      fmt::format(
          "{} {}{}, measured inside the supernet on {} validation images each: from {} to {} "
          "top-1. More MACs should help; the height of the cloud at equal cost is what the "
          "search has to gain.{}",
          data.accuracies.size(), search_measured(data) ? "" : "sampled ",
          plural(data.accuracies.size(), "subnet", "subnets"), data.accuracies.front().num_images,
          unbroken(core::format_percent(low->top1)), unbroken(core::format_percent(high->top1)),
          thinning_note(data.accuracies.size())));
}

Plot scatter(const PredictorInfo& predictor) {
  Plot plot;
  plot.description = "Measured against predicted accuracy of held-out subnets";
  plot.x.title = "predicted top-1 (%)";
  plot.y.title = "measured top-1 (%)";
  plot.identity_band = 0.0;
  PlotSeries series{"", 2, Marker::kCircle, true, 3.4, {}, false, {}};
  for (std::size_t i = 0; i < predictor.checks.size(); i += stride_for(predictor.checks.size())) {
    const PredictorCheck& check = predictor.checks[i];
    series.points.push_back(
        {check.predicted_top1 * 100.0, check.measured_top1 * 100.0,
         fmt::format("predicted {}, measured {}\n{}", core::format_percent(check.predicted_top1),
                     core::format_percent(check.measured_top1), check.arch),
         ""});
  }
  plot.series = {series};
  return plot;
}

std::string facts_of(const PredictorInfo& predictor) {
  return fact_list({{"Kind", predictor.kind},
                    {"Trained on", fmt::format("{} subnets", predictor.num_train)},
                    {"Judged on", fmt::format("{} held-out subnets", predictor.num_held_out)},
                    {"Kendall \u03c4", fmt::format("{:.3f}", predictor.kendall_tau)},
                    {"Spearman \u03c1", fmt::format("{:.3f}", predictor.spearman)},
                    {"RMSE", fmt::format("{:.2f} points", predictor.rmse * 100.0)},
                    {"Mean error", fmt::format("{:.2f} points", predictor.mae * 100.0)}});
}

std::string held_out_figure(const PredictorInfo& predictor, const std::string& stage,
                            const ReportData& data) {
  if (predictor.checks.empty()) return missing_from_stage(data, "held-out subnets", stage);
  return render_figure(
      scatter(predictor),
      fmt::format("Subnets the predictor did not learn from. Points should lie on the "
                  "diagonal; the search needs their order to be right, which is Kendall\u2019s "
                  "\u03c4 = {:.3f} (1 is perfect), with an RMSE of {:.2f} points of top-1.{}",
                  predictor.kendall_tau, predictor.rmse * 100.0,
                  thinning_note(predictor.checks.size())));
}

/// What each round's predictor had said of the subnets it hoped for, against what they were.
std::string refinement_figure(const ReportData& data) {
  if (data.refinement.empty()) return "";
  Plot plot;
  plot.description = "Measured against predicted accuracy of the subnets that the search measured";
  plot.x.title = "predicted before the measurement (%)";
  plot.y.title = "measured top-1 (%)";
  plot.identity_band = 0.0;
  std::string errors;
  for (const RefinementRound& round : data.refinement) {
    PlotSeries series;
    series.name = fmt::format("round {}", round.round);
    series.color = (round.round - 1) % kPaletteSize;
    series.marker = round.round % 2 == 1 ? Marker::kCircle : Marker::kDiamond;
    series.size_px = 3.2;
    double error = 0.0;
    for (const PredictorCheck& check : round.checks) {
      error += check.predicted_top1 - check.measured_top1;
      series.points.push_back({check.predicted_top1 * 100.0, check.measured_top1 * 100.0,
                               fmt::format("round {}: predicted {}, measured {}\n{}", round.round,
                                           core::format_percent(check.predicted_top1),
                                           core::format_percent(check.measured_top1), check.arch),
                               ""});
    }
    error /= static_cast<double>(std::max<std::size_t>(round.checks.size(), 1));
    errors +=
        fmt::format(" Round {}: {} {}, on average {:.2f} points {} than predicted.", round.round,
                    round.checks.size(), plural(round.checks.size(), "subnet", "subnets"),
                    std::abs(error) * 100.0, error > 0.0 ? "worse" : "better");
    plot.series.push_back(std::move(series));
  }
  return render_figure(
      plot,
      "Where a search looks, its predictor errs upwards: it picks what is overrated. Each round "
      "measured the favourites and learnt from them; later rounds should lie nearer to the "
      "diagonal." +
          errors);
}

/// The predictor that the search fitted again, once it had measured what the first one hoped for.
std::string refined_part(const ReportData& data) {
  if (!data.refined_predictor) return "";
  const PredictorInfo& refined = *data.refined_predictor;
  const std::int64_t added = refined.num_train + refined.num_held_out - data.predictor->num_train -
                             data.predictor->num_held_out;
  return "<h3>Refined by the search</h3>\n" +
         fmt::format(
             "<p>The search ranks by this one: it also learnt from {} {} that the first "
             "predictor hoped for and the search then measured.</p>\n",
             added, plural(static_cast<std::size_t>(added), "subnet", "subnets")) +
         facts_of(refined) + refinement_figure(data) + held_out_figure(refined, "search", data);
}

std::string predictor_part(const ReportData& data) {
  if (!data.predictor && search_measured(data)) {
    return "<p class=\"missing\">No accuracy predictor: the search measured what it looked "
           "at.</p>\n";
  }
  if (!data.predictor) return missing_from_stage(data, "accuracy predictor", "fit");
  if (data.predictor->imported) {
    return fact_list({{"Kind", data.predictor->kind},
                      {"Trained", "elsewhere; no subnet of this project was held out"}});
  }
  return facts_of(*data.predictor) + held_out_figure(*data.predictor, "fit", data) +
         refined_part(data);
}

}  // namespace

std::string predictor_section(const PageContext& page) {
  return section("predictor", "Accuracy, collected and predicted",
                 collected_part(page.data) + predictor_part(page.data));
}

}  // namespace omnifit::report
