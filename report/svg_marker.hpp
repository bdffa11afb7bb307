#pragma once

#include "report/svg_plot.hpp"

#include <string>

namespace omnifit::report {

struct MarkerStyle {
  Marker shape = Marker::kCircle;
  int color = 0;
  bool filled = true;
  double size_px = 4.0;  ///< half the width; shapes are sized to look equally large
};

/// One marker centred on a point, with an optional tooltip. @pre shape is not kNone
std::string marker_svg(const MarkerStyle& style, double x, double y, const std::string& tooltip);

}  // namespace omnifit::report
