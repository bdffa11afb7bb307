#include "report/label_layout.hpp"

#include "core/utf8.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <string_view>

namespace omnifit::report {
namespace {

constexpr double kGapPx = 8.0;    ///< between a point's centre and its label
constexpr double kRingPx = 13.0;  ///< between the rings of candidate positions
constexpr int kRings = 9;
constexpr double kObstaclePx = 26.0;  ///< a covered marker counts as much as this distance

struct Direction {
  double dx, dy;
};
/// Right first: text then reads away from its point.
constexpr std::array<Direction, 8> kDirections = {
    {{1, 0}, {-1, 0}, {0, -1}, {0, 1}, {1, -1}, {1, 1}, {-1, -1}, {-1, 1}}};

/// The box whose nearest side or corner lies `distance` from the point in the given direction.
Box box_towards(const LabelRequest& request, const Direction& direction, double distance,
                double width, double height) {
  const double x = request.x + direction.dx * distance;
  const double y = request.y + direction.dy * distance;
  return {x + (direction.dx - 1.0) / 2.0 * width, y + (direction.dy - 1.0) / 2.0 * height, width,
          height};
}

}  // namespace

bool Box::overlaps(const Box& other) const {
  return left < other.right() && other.left < right() && top < other.bottom() &&
         other.top < bottom();
}

bool Box::contains(const Box& other) const {
  return left <= other.left && top <= other.top && right() >= other.right() &&
         bottom() >= other.bottom();
}

double text_width_px(const std::string& text, double font_px) {
  constexpr std::string_view kNarrow = "il.,:;|!'()[]/ ";
  constexpr std::string_view kWide = "mwMW%@";
  double em = 0.0;
  for (std::size_t at = 0; at < text.size();) {
    const core::CodePoint point = core::decode_utf8(text, at);
    const bool ascii = point.value < 0x80;
    const char c = ascii ? static_cast<char>(point.value) : '\0';
    if (ascii && kNarrow.find(c) != std::string_view::npos) {
      em += 0.38;
    } else if (ascii && kWide.find(c) != std::string_view::npos) {
      em += 0.98;
    } else {
      em += ascii ? 0.64 : 0.9;
    }
    at += point.size;
  }
  return em * font_px;
}

std::vector<std::optional<LabelPlace>> place_labels(const std::vector<LabelRequest>& requests,
                                                    const std::vector<Box>& obstacles,
                                                    const Box& bounds, double font_px) {
  std::vector<std::optional<LabelPlace>> places;
  std::vector<Box> taken;
  for (const LabelRequest& request : requests) {
    const double width = text_width_px(request.text, font_px);
    const double height = font_px * 1.25;
    std::optional<LabelPlace> best;
    double best_cost = std::numeric_limits<double>::infinity();
    for (int ring = 0; ring < kRings; ++ring) {
      const double distance = kGapPx + ring * kRingPx;
      if (distance >= best_cost) break;  // cost is at least the distance
      for (const Direction& direction : kDirections) {
        const Box box = box_towards(request, direction, distance, width, height);
        if (!bounds.contains(box)) continue;
        double cost = distance;
        for (const Box& obstacle : obstacles) cost += box.overlaps(obstacle) ? kObstaclePx : 0.0;
        for (const Box& other : taken) {
          if (box.overlaps(other)) cost = std::numeric_limits<double>::infinity();
        }
        if (cost < best_cost) {
          best_cost = cost;
          best = LabelPlace{box, ring > 0};
        }
      }
    }
    if (best) taken.push_back(best->box);
    places.push_back(best);
  }
  return places;
}

}  // namespace omnifit::report
