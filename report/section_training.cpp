#include "core/units.hpp"
#include "report/blocks.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"
#include "report/svg_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace omnifit::report {
namespace {

constexpr std::size_t kMaxCurvePoints = 300;
using NameValues = std::vector<std::pair<std::string, std::string>>;

enum class MetricKind { kLoss, kAccuracy, kOther };

MetricKind kind_of(const std::string& name) {
  if (name.find("loss") != std::string::npos) return MetricKind::kLoss;
  if (name.find("top1") != std::string::npos || name.find("top5") != std::string::npos) {
    return MetricKind::kAccuracy;
  }
  return MetricKind::kOther;
}

std::string readable_metric(const std::string& name) {
  if (name == "train_loss") return "training batches, loss";
  if (name == "train_top1") return "training batches, top-1";
  constexpr std::string_view kValidation = "val_top1_";
  if (name.rfind(kValidation, 0) == 0) {
    return name.substr(kValidation.size()) + " subnet, validation";
  }
  std::string out = name;
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

/// Means of equally many neighbouring points each, at the last step of each, so that the curve
/// stays readable.
std::vector<MetricPoint> thinned(const std::vector<MetricPoint>& points, std::size_t per_bucket) {
  std::vector<MetricPoint> out;
  for (std::size_t begin = 0; begin < points.size(); begin += per_bucket) {
    const std::size_t end = std::min(points.size(), begin + per_bucket);
    double sum = 0.0;
    for (std::size_t i = begin; i < end; ++i) sum += points[i].value;
    out.push_back({points[end - 1].step, sum / static_cast<double>(end - begin)});
  }
  return out;
}

std::size_t bucket_size(const MetricSeries& metric) {
  return (metric.points.size() + kMaxCurvePoints - 1) / kMaxCurvePoints;
}

struct CurveLook {
  int color;
  Marker marker;
};
constexpr CurveLook kLooks[] = {{0, Marker::kCircle},       {1, Marker::kTriangle},
                                {2, Marker::kSquare},       {3, Marker::kDiamond},
                                {4, Marker::kTriangleDown}, {6, Marker::kCircle}};

PlotSeries curve(const MetricSeries& metric, std::size_t look_index, double factor) {
  const CurveLook& look = kLooks[look_index % std::size(kLooks)];
  PlotSeries series;
  series.name = readable_metric(metric.name);
  series.color = look.color;
  series.join = Join::kLine;
  const auto points = thinned(metric.points, bucket_size(metric));
  series.marker = points.size() > 60 ? Marker::kNone : look.marker;
  series.size_px = 3.2;
  for (const MetricPoint& point : points) {
    series.points.push_back(
        {static_cast<double>(point.step), point.value * factor,
         fmt::format("{}, step {}: {:.4g}", series.name, point.step, point.value * factor), ""});
  }
  return series;
}

std::vector<PlotMark> phase_marks(const TrainingInfo& training) {
  std::vector<PlotMark> marks;
  for (const PhaseInfo& phase : training.phases) {
    marks.push_back({static_cast<double>(phase.first_step - 1), phase.name});
  }
  return marks;
}

Plot curves(const TrainingInfo& training, MetricKind kind, const std::string& y_title) {
  Plot plot;
  plot.description = y_title + " over training steps";
  plot.x.title = "optimiser steps";
  plot.y.title = y_title;
  plot.marks = phase_marks(training);
  double last_step = 1.0;
  for (const PhaseInfo& phase : training.phases) {
    last_step = std::max(last_step, static_cast<double>(phase.last_step));
  }
  plot.x.range = Interval{0.0, last_step};
  for (const MetricSeries& metric : training.metrics) {
    if (kind_of(metric.name) != kind) continue;
    plot.series.push_back(
        curve(metric, plot.series.size(), kind == MetricKind::kAccuracy ? 100.0 : 1.0));
  }
  return plot;
}

std::string smoothing_note(const TrainingInfo& training, MetricKind kind) {
  std::size_t per_bucket = 1;
  std::size_t not_finite = 0;
  for (const MetricSeries& metric : training.metrics) {
    if (kind_of(metric.name) != kind) continue;
    per_bucket = std::max(per_bucket, bucket_size(metric));
    not_finite += static_cast<std::size_t>(
        std::count_if(metric.points.begin(), metric.points.end(),
                      [](const MetricPoint& point) { return !std::isfinite(point.value); }));
  }
  std::string out;
  if (per_bucket > 1) {
    out += fmt::format(" Each point of a dense curve is the mean of {} records.", per_bucket);
  }
  if (not_finite > 0) {
    out += fmt::format(" {} {} not finite and left out.", not_finite,
                       plural(not_finite, "value is", "values are"));
  }
  return out;
}

/// The last recorded value of a metric inside a phase.
std::optional<double> last_in_phase(const TrainingInfo& training, const std::string& name,
                                    const PhaseInfo& phase) {
  std::optional<double> last;
  for (const MetricSeries& metric : training.metrics) {
    if (metric.name != name) continue;
    for (const MetricPoint& point : metric.points) {
      if (point.step >= phase.first_step && point.step <= phase.last_step) last = point.value;
    }
  }
  return last;
}

std::string phase_table(const TrainingInfo& training) {
  const auto percent = [](const std::optional<double>& value) {
    return value ? unbroken(core::format_percent(*value)) : std::string("\u2013");
  };
  std::vector<HtmlRow> rows;
  for (const PhaseInfo& phase : training.phases) {
    rows.push_back({{escape_html(phase.name), fmt::format("{:.4g}", phase.epochs_done),
                     fmt::format("{} to {}", phase.first_step, phase.last_step),
                     percent(last_in_phase(training, "val_top1_largest", phase)),
                     percent(last_in_phase(training, "val_top1_smallest", phase))},
                    ""});
  }
  return html_table({{"Phase", false},
                     {"Epochs", true},
                     {"Steps", true},
                     {"Largest subnet, validation top-1", true},
                     {"Smallest subnet, validation top-1", true}},
                    rows);
}

std::string images(const DatasetInfo& data) {
  const auto count = [](std::int64_t value) { return Ticks{}.text(static_cast<double>(value)); };
  return fmt::format("{} training, {} validation, {} test images", count(data.num_train),
                     count(data.num_validation), count(data.num_test));
}

NameValues facts(const ReportData& data) {
  NameValues out;
  if (data.space) {
    std::string text =
        fmt::format("{}/v{}, family {}", data.space->name, data.space->version, data.space->family);
    if (data.space->num_archs > 0.0) {
      text += fmt::format(", {} subnets", core::format_count(data.space->num_archs));
    }
    out.emplace_back("Search space", text);
  }
  if (data.dataset) {
    const DatasetInfo& set = *data.dataset;
    out.emplace_back("Data set", fmt::format("{} ({})", set.name, set.format));
    out.emplace_back("Images", images(set));
    out.emplace_back(
        "Task", fmt::format("{} classes, {}×{} pixels, {} {}", set.num_classes, set.image_px,
                            set.image_px, set.channels,
                            plural(static_cast<std::size_t>(set.channels), "channel", "channels")));
  }
  if (const StageRun* run = find_stage(data, "train")) {
    out.emplace_back("Time", fmt::format("{}{}", core::format_duration(run->duration_s),
                                         run->state == "done" ? "" : ", " + run->state));
  }
  if (data.job) {
    for (const auto& [name, value] : data.job->host) out.emplace_back(name, value);
    out.emplace_back("Versions", fmt::format("omnifit {}, LibTorch {}", data.job->omnifit_version,
                                             data.job->libtorch_version));
    out.emplace_back("Seed", data.job->seed);
  }
  if (data.training && data.training->final_checkpoint) {
    const CheckpointInfo& file = *data.training->final_checkpoint;
    out.emplace_back("Checkpoint",
                     fmt::format("{} ({})", file.path,
                                 core::format_bytes(static_cast<double>(file.size_bytes))));
  }
  return out;
}

std::string other_metrics(const TrainingInfo& training) {
  std::string out;
  for (const MetricSeries& metric : training.metrics) {
    if (kind_of(metric.name) != MetricKind::kOther) continue;
    TrainingInfo one{training.phases, {metric}, std::nullopt};
    Plot plot = curves(one, MetricKind::kOther, "");
    plot.description = readable_metric(metric.name) + " over training steps";
    plot.marks.clear();
    plot.series.front().name.clear();
    out +=
        render_small_figure(plot, readable_metric(metric.name), "As recorded, phase after phase.");
  }
  return out.empty() ? "" : "<div class=\"several\">\n" + out + "</div>\n";
}

std::string learning_curves(const TrainingInfo& training) {
  std::string out;
  const Plot accuracy = curves(training, MetricKind::kAccuracy, "accuracy (%)");
  if (!accuracy.series.empty()) {
    out += render_figure(accuracy,
                         "Accuracy while the space opens phase by phase (vertical lines). The "
                         "largest subnet should hold "
                         "its level from its own phase on while the smallest one rises towards it; "
                         "a largest subnet that "
                         "falls says the later phases cost it." +
                             smoothing_note(training, MetricKind::kAccuracy));
  }
  const Plot loss = curves(training, MetricKind::kLoss, "loss");
  if (!loss.series.empty()) {
    out += render_figure(loss,
                         "Training loss. It jumps where a phase begins, because its subnets are "
                         "new and the distillation "
                         "loss joins it, and should fall again within each phase." +
                             smoothing_note(training, MetricKind::kLoss));
  }
  return out + other_metrics(training);
}

}  // namespace

std::string training_section(const PageContext& page) {
  const ReportData& data = page.data;
  std::string body = fact_list(facts(data));
  if (!data.training || data.training->metrics.empty()) {
    body += missing_from_stage(data, "learning curves", "train");
  } else {
    const std::vector<PhaseInfo>& phases = data.training->phases;
    const bool trained = std::any_of(phases.begin(), phases.end(),
                                     [](const PhaseInfo& phase) { return phase.last_step > 0; });
    if (trained) body += learning_curves(*data.training);
    body += phase_table(*data.training);
  }
  return section("training", "What was trained", body);
}

}  // namespace omnifit::report
