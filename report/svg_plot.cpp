#include "report/svg_plot.hpp"

#include "core/error.hpp"
#include "report/html.hpp"
#include "report/label_layout.hpp"
#include "report/svg_marker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace omnifit::report {
namespace {

constexpr double kFontPx = 12.0;
constexpr double kRowPx = 16.0;  ///< height of a row of text above the plot
constexpr double kYTickSpacingPx = 46.0;
constexpr double kXTickGapPx = 26.0;

bool is_finite(const PlotPoint& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

Interval axis_interval(const Plot& plot, const PlotAxis& axis, double PlotPoint::*coordinate) {
  if (axis.range) return *axis.range;
  std::vector<double> values;
  for (const PlotSeries& series : plot.series) {
    for (const PlotPoint& point : series.points) {
      if (is_finite(point)) values.push_back(point.*coordinate);
    }
  }
  return padded_interval(values, axis.from_zero);
}

/// A mark's name and the row above the plot where it fits without touching its neighbours.
struct MarkName {
  double left_px = 0.0;
  std::size_t row = 0;
};

/// Everything about the geometry of one drawing.
class Frame {
 public:
  Frame(const Plot& plot, const PlotSize& size) : size_(size) {
    x_ = axis_interval(plot, plot.x, &PlotPoint::x);
    y_ = axis_interval(plot, plot.y, &PlotPoint::y);
    if (plot.identity_band) {
      x_ = {std::min(x_.low, y_.low), std::max(x_.high, y_.high)};
      y_ = x_;
    }
    // The number of tick rows depends only on the height, so the top margin may be guessed first.
    const double rough_height = size.height_px - 4 * kRowPx;
    y_ticks_ = nice_ticks(y_.low, y_.high, static_cast<int>(rough_height / kYTickSpacingPx) + 1);
    double widest = 0.0;
    for (const double value : y_ticks_.values) {
      widest = std::max(widest, text_width_px(y_ticks_.text(value), kFontPx));
    }
    area_.left = std::ceil(widest) + 12.0;
    area_.width = size.width_px - area_.left - 14.0;
    place_marks(plot);
    area_.top = kRowPx + 8.0 + static_cast<double>(num_mark_rows_) * kRowPx;
    area_.height = size.height_px - area_.top - 2.6 * kRowPx;
    choose_x_ticks();
  }

  [[nodiscard]] double px(double x) const {
    return area_.left + (x - x_.low) / (x_.high - x_.low) * area_.width;
  }
  [[nodiscard]] double py(double y) const {
    return area_.bottom() - (y - y_.low) / (y_.high - y_.low) * area_.height;
  }
  [[nodiscard]] const Box& area() const { return area_; }
  [[nodiscard]] const PlotSize& size() const { return size_; }
  [[nodiscard]] const Interval& x() const { return x_; }
  [[nodiscard]] const Ticks& x_ticks() const { return x_ticks_; }
  [[nodiscard]] const Ticks& y_ticks() const { return y_ticks_; }
  [[nodiscard]] const std::vector<MarkName>& mark_names() const { return mark_names_; }

 private:
  void place_marks(const Plot& plot) {
    std::vector<double> row_ends;
    for (const PlotMark& mark : plot.marks) {
      const double width = text_width_px(mark.name, kFontPx);
      const double left =
          std::clamp(px(mark.x) - 2.0, 0.0, std::max(0.0, size_.width_px - width - 2.0));
      std::size_t row = 0;
      while (row < row_ends.size() && left < row_ends[row] + 8.0) ++row;
      if (row == row_ends.size()) row_ends.push_back(0.0);
      row_ends[row] = left + width;
      mark_names_.push_back({left, row});
    }
    num_mark_rows_ = row_ends.size();
  }

  void choose_x_ticks() {
    for (int count = 11; count >= 2; --count) {
      x_ticks_ = nice_ticks(x_.low, x_.high, count);
      double needed = 0.0;
      for (const double value : x_ticks_.values) {
        needed += text_width_px(x_ticks_.text(value), kFontPx) + kXTickGapPx;
      }
      if (needed <= area_.width) return;
    }
  }

  PlotSize size_;
  Interval x_;
  Interval y_;
  Ticks x_ticks_;
  Ticks y_ticks_;
  Box area_;
  std::vector<MarkName> mark_names_;
  std::size_t num_mark_rows_ = 0;
};

std::string line(const char* css_class, double x1, double y1, double x2, double y2) {
  return fmt::format(R"(<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)",
                     css_class, x1, y1, x2, y2);
}

std::string text(const char* css_class, const char* anchor, double x, double y,
                 const std::string& content) {
  return fmt::format(R"(<text class="{}" text-anchor="{}" x="{:.1f}" y="{:.1f}">{}</text>)",
                     css_class, anchor, x, y, escape_html(content));
}

std::string axes(const Plot& plot, const Frame& frame) {
  const Box& area = frame.area();
  std::string out;
  for (const double value : frame.y_ticks().values) {
    const double y = frame.py(value);
    out += line("grid", area.left, y, area.right(), y);
    out += text("tick", "end", area.left - 7.0, y + 4.0, frame.y_ticks().text(value));
  }
  for (const double value : frame.x_ticks().values) {
    const double x = frame.px(value);
    const std::string label = frame.x_ticks().text(value);
    // Labels at the ends move inwards rather than out of the picture.
    const double half = text_width_px(label, kFontPx) / 2.0;
    const double centre = std::clamp(x, half, frame.size().width_px - half);
    out += line("axis", x, area.bottom(), x, area.bottom() + 5.0);
    out += text("tick", "middle", centre, area.bottom() + 18.0, label);
  }
  out += line("axis", area.left, area.bottom(), area.right(), area.bottom());
  if (!plot.y.title.empty()) out += text("title", "start", 0.0, kFontPx, plot.y.title);
  out += text("title", "end", area.right(), frame.size().height_px - 4.0, plot.x.title);
  return out;
}

std::string marks(const Plot& plot, const Frame& frame) {
  std::string out;
  std::string names;
  for (std::size_t i = 0; i < plot.marks.size(); ++i) {
    const double x = frame.px(plot.marks[i].x);
    if (x < frame.area().left - 0.5 || x > frame.area().right() + 0.5) continue;
    const MarkName& name = frame.mark_names()[i];
    const double baseline = kRowPx + static_cast<double>(name.row + 1) * kRowPx - 4.0;
    out += line("mark", x, baseline + 4.0, x, frame.area().bottom());
    names += text("markname", "start", name.left_px, baseline, plot.marks[i].name);
  }
  return out + names;  // names above the lines that pass them
}

/// A nested <svg> clips what it holds to the plot's area without needing an id.
std::string identity(const Plot& plot, const Frame& frame) {
  if (!plot.identity_band) return "";
  const Box& area = frame.area();
  const auto at = [&](double x, double y) {
    return fmt::format("{:.1f},{:.1f}", frame.px(x) - area.left, frame.py(y) - area.top);
  };
  const auto [low, high] = frame.x();
  const double band = *plot.identity_band;
  std::string out = fmt::format(R"(<svg x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">)",
                                area.left, area.top, area.width, area.height);
  if (band > 0.0) {
    out += fmt::format(R"(<polygon class="band" points="{} {} {} {}"/>)",
                       at(low, low * (1.0 - band)), at(high, high * (1.0 - band)),
                       at(high, high * (1.0 + band)), at(low, low * (1.0 + band)));
  }
  out += fmt::format(R"(<polyline class="identity" points="{} {}"/></svg>)", at(low, low),
                     at(high, high));
  return out;
}

std::string joined(const PlotSeries& series, const Frame& frame) {
  std::string points;
  double last_y = NAN;
  for (const PlotPoint& point : series.points) {
    if (!is_finite(point)) continue;
    const double x = frame.px(point.x);
    const double y = frame.py(point.y);
    if (series.join == Join::kSteps && std::isfinite(last_y)) {
      points += fmt::format("{:.1f},{:.1f} ", x, last_y);
    }
    points += fmt::format("{:.1f},{:.1f} ", x, y);
    last_y = y;
  }
  if (points.empty()) return "";
  points.pop_back();
  return fmt::format(R"(<polyline class="join c{}{}" points="{}"/>)", series.color,
                     series.dashed ? " dashed" : "", points);
}

std::string points_of(const PlotSeries& series, const Frame& frame) {
  std::string out;
  if (series.marker == Marker::kNone) return out;
  for (const PlotPoint& point : series.points) {
    if (!is_finite(point)) continue;
    const std::string tooltip = frame.size().tooltips ? point.tooltip : "";
    out += marker_svg({series.marker, series.color, series.filled, series.size_px},
                      frame.px(point.x), frame.py(point.y), tooltip);
  }
  return out;
}

std::string labels(const Plot& plot, const Frame& frame) {
  std::vector<LabelRequest> requests;
  std::vector<Box> obstacles;
  for (const PlotSeries& series : plot.series) {
    for (const PlotPoint& point : series.points) {
      if (!is_finite(point)) continue;
      const double x = frame.px(point.x);
      const double y = frame.py(point.y);
      const double r = series.marker == Marker::kNone ? 1.0 : series.size_px;
      obstacles.push_back({x - r, y - r, 2 * r, 2 * r});
      if (!point.label.empty()) requests.push_back({x, y, point.label});
    }
  }
  const auto places = place_labels(requests, obstacles, frame.area(), kFontPx);
  std::string out;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!places[i]) continue;
    const Box& box = places[i]->box;
    if (places[i]->leader) {
      const double x = std::clamp(requests[i].x, box.left, box.right());
      const double y = std::clamp(requests[i].y, box.top, box.bottom());
      out += line("leader", requests[i].x, requests[i].y, x, y);
    }
    out += text("label", "start", box.left, box.bottom() - 0.3 * kFontPx, requests[i].text);
  }
  return out;
}

std::string missing_figure(const Plot& plot) {
  return fmt::format("<p class=\"missing\">{}: there is no finite value to draw.</p>\n",
                     escape_html(plot.description));
}

}  // namespace

bool has_points(const Plot& plot) {
  return std::any_of(plot.series.begin(), plot.series.end(), [](const PlotSeries& series) {
    return std::any_of(series.points.begin(), series.points.end(), is_finite);
  });
}

std::string render_svg(const Plot& plot, const PlotSize& size) {
  OMNIFIT_CHECK(has_points(plot), "nothing to draw in the plot '{}'", plot.description);
  const Frame frame(plot, size);
  std::string out =
      fmt::format(R"(<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">)",
                  size.width_px, size.height_px, escape_html(plot.description));
  out += axes(plot, frame) + identity(plot, frame) + marks(plot, frame);
  for (const PlotSeries& series : plot.series) {
    if (series.join != Join::kNone) out += joined(series, frame);
  }
  for (const PlotSeries& series : plot.series) out += points_of(series, frame);
  return out + labels(plot, frame) + "</svg>\n";
}

std::string render_legend(const std::vector<PlotSeries>& series) {
  std::string items;
  for (const PlotSeries& one : series) {
    if (one.name.empty() || one.points.empty()) continue;
    std::string swatch;
    if (one.join != Join::kNone) {
      swatch += fmt::format(R"(<polyline class="join c{}{}" points="1,8 25,8"/>)", one.color,
                            one.dashed ? " dashed" : "");
    }
    if (one.marker != Marker::kNone) {
      swatch += marker_svg({one.marker, one.color, one.filled, std::min(one.size_px, 5.0)}, 13.0,
                           8.0, "");
    }
    items += fmt::format(
        R"(<li><svg class="swatch" viewBox="0 0 26 16" aria-hidden="true">{}</svg>{}</li>)", swatch,
        escape_html(one.name));
  }
  return items.empty() ? "" : "<ul class=\"legend\">" + items + "</ul>\n";
}

std::string render_figure(const Plot& plot, const std::string& caption_html) {
  if (!has_points(plot)) return missing_figure(plot);
  const bool square = plot.identity_band.has_value();
  return fmt::format(
      "<figure class=\"beside{}\">\n<div class=\"canvas\">{}<div class=\"wide\">{}</div><div "
      "class=\"narrow\">{}</div></div>\n<figcaption>{}</figcaption>\n</figure>\n",
      square ? " square" : "", render_legend(plot.series),
      render_svg(plot, square ? kSquarePlot : kWidePlot), render_svg(plot, kNarrowPlot),
      caption_html);
}

std::string render_small_figure(const Plot& plot, const std::string& heading,
                                const std::string& caption_html) {
  const std::string title = fmt::format("<h3>{}</h3>\n", escape_html(heading));
  if (!has_points(plot)) return "<div class=\"small\">" + title + missing_figure(plot) + "</div>\n";
  return fmt::format("<figure class=\"small\">\n{}{}\n<figcaption>{}</figcaption>\n</figure>\n",
                     title, render_svg(plot, kSmallPlot), caption_html);
}

}  // namespace omnifit::report
