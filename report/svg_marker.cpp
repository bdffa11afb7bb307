#include "report/svg_marker.hpp"

#include "core/error.hpp"
#include "report/html.hpp"

#include <fmt/format.h>

namespace omnifit::report {
namespace {

std::string shape_tag(const MarkerStyle& style, double x, double y) {
  const double r = style.size_px;
  switch (style.shape) {
    case Marker::kCircle:
      return fmt::format(R"(circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}")", x, y, r);
    case Marker::kSquare:
      return fmt::format(R"(rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}")",
                         x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
    case Marker::kDiamond:
      return fmt::format(R"(path d="M{:.1f} {:.1f}l{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}z")", x,
                         y - 1.25 * r, 1.25 * r, 1.25 * r, -1.25 * r, 1.25 * r, -1.25 * r,
                         -1.25 * r);
    case Marker::kTriangle:
      return fmt::format(R"(path d="M{:.1f} {:.1f}l{:.1f} {:.1f} {:.1f} 0z")", x, y - 1.2 * r,
                         1.2 * r, 2.1 * r, -2.4 * r);
    case Marker::kTriangleDown:
      return fmt::format(R"(path d="M{:.1f} {:.1f}l{:.1f} {:.1f} {:.1f} 0z")", x, y + 1.2 * r,
                         1.2 * r, -2.1 * r, -2.4 * r);
    case Marker::kCross:
      return fmt::format(R"(path d="M{:.1f} {:.1f}l{:.1f} {:.1f}m0 {:.1f}l{:.1f} {:.1f}")", x - r,
                         y - r, 2 * r, 2 * r, -2 * r, -2 * r, 2 * r);
    case Marker::kNone:
      break;
  }
  OMNIFIT_CHECK(false, "there is no shape for marker {}", static_cast<int>(style.shape));
}

}  // namespace

std::string marker_svg(const MarkerStyle& style, double x, double y, const std::string& tooltip) {
  const bool filled = style.filled && style.shape != Marker::kCross;
  const std::string opening = fmt::format(R"(<{} class="{} c{}")", shape_tag(style, x, y),
                                          filled ? "dot" : "ring", style.color);
  if (tooltip.empty()) return opening + "/>";
  const std::string tag = opening.substr(1, opening.find(' ') - 1);
  return fmt::format("{}><title>{}</title></{}>", opening, escape_html(tooltip), tag);
}

}  // namespace omnifit::report
