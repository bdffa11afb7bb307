#pragma once

#include <optional>
#include <string>
#include <vector>

namespace omnifit::report {

/// An axis-parallel box in pixels, y downwards.
struct Box {
  double left = 0.0;
  double top = 0.0;
  double width = 0.0;
  double height = 0.0;

  [[nodiscard]] double right() const { return left + width; }
  [[nodiscard]] double bottom() const { return top + height; }
  [[nodiscard]] bool overlaps(const Box& other) const;
  [[nodiscard]] bool contains(const Box& other) const;
};

/// A text that wants to stand near a point.
struct LabelRequest {
  double x = 0.0;
  double y = 0.0;
  std::string text;
};

/// Where a label went. `leader`: it stands so far off that a line should lead to its point.
struct LabelPlace {
  Box box;
  bool leader = false;
};

/// Upper estimate of the width of a text in a common sans-serif font, in pixels.
double text_width_px(const std::string& text, double font_px);

/// Places labels one after the other, the nearest free spot first. No two labels overlap, none
/// leaves `bounds`; markers (`obstacles`) are avoided where there is room. A label for which there
/// is no room gets no place.
std::vector<std::optional<LabelPlace>> place_labels(const std::vector<LabelRequest>& requests,
                                                    const std::vector<Box>& obstacles,
                                                    const Box& bounds, double font_px);

}  // namespace omnifit::report
