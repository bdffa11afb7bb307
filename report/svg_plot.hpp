#pragma once

#include "report/ticks.hpp"

#include <optional>
#include <string>
#include <vector>

namespace omnifit::report {

/// Shapes that stay apart without colour.
enum class Marker { kNone, kCircle, kSquare, kDiamond, kTriangle, kTriangleDown, kCross };

/// How the points of a series are joined; kSteps holds a value until the next point.
enum class Join { kNone, kLine, kSteps };

/// Number of colours of the palette (after Okabe and Ito: told apart by colour-blind readers). The
/// page's style sheet gives their values for light, dark and paper.
inline constexpr int kPaletteSize = 7;

struct PlotPoint {
  double x = 0.0;
  double y = 0.0;
  std::string tooltip;  ///< shown on hover
  std::string label;    ///< written beside the point
};

struct PlotSeries {
  std::string name;  ///< in the legend; empty: not listed
  int color = 0;     ///< index into the palette
  Marker marker = Marker::kCircle;
  bool filled = true;
  double size_px = 4.0;  ///< half the marker's width
  Join join = Join::kNone;
  bool dashed = false;
  std::vector<PlotPoint> points;  ///< points that are not finite are left out
};

struct PlotAxis {
  std::string title;  ///< with the unit
  bool from_zero = false;
  std::optional<Interval> range;  ///< instead of the one the points need
};

/// A vertical mark across the plot with its name above: a phase's start, a bound.
struct PlotMark {
  double x = 0.0;
  std::string name;
};

struct Plot {
  std::string description;  ///< for screen readers
  PlotAxis x;
  PlotAxis y;
  std::vector<PlotSeries> series;  ///< later ones are drawn above earlier ones
  std::vector<PlotMark> marks;     ///< ascending x
  /// Draws the line y = x and the band of this relative width around it; both axes then share one
  /// range.
  std::optional<double> identity_band;
};

struct PlotSize {
  int width_px = 700;
  int height_px = 390;
  bool tooltips = true;
};
/// Beside its caption on a screen or on paper, and on a phone.
inline constexpr PlotSize kWidePlot{700, 390, true};
inline constexpr PlotSize kNarrowPlot{340, 280, false};
/// Instead of kWidePlot where both axes are the same.
inline constexpr PlotSize kSquarePlot{540, 470, true};
/// One of several side by side.
inline constexpr PlotSize kSmallPlot{340, 230, true};

/// True if there is at least one finite point to draw.
bool has_points(const Plot& plot);

/// The plot as one <svg> without ids, so that a page may hold any number. @pre has_points(plot)
std::string render_svg(const Plot& plot, const PlotSize& size);

/// The series' names with their markers, as an HTML list; empty if no series has a name.
std::string render_legend(const std::vector<PlotSeries>& series);

/// A <figure>: legend, the plot at both widths (the style sheet shows one) and the caption (HTML).
/// Without a finite point: a sentence that says so, never an empty plot.
std::string render_figure(const Plot& plot, const std::string& caption_html);

/// A <figure> of one small plot for a grid of several.
std::string render_small_figure(const Plot& plot, const std::string& heading,
                                const std::string& caption_html);

}  // namespace omnifit::report
