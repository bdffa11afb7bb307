#include "core/table.hpp"

#include "core/error.hpp"
#include "core/utf8.hpp"

#include <algorithm>

namespace omnifit::core {
namespace {

/// Marks that draw on the character before them, and joiners that draw nothing.
bool is_zero_width(char32_t point) {
  struct Range {
    char32_t first, last;
  };
  constexpr Range kRanges[] = {{0x0300, 0x036f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
                               {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
                               {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}};
  return std::any_of(std::begin(kRanges), std::end(kRanges), [point](const Range& range) {
    return point >= range.first && point <= range.last;
  });
}

void append_line(std::string& out, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line;
  out += '\n';
}

}  // namespace

std::size_t display_width(const std::string& text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (!point.valid || !is_zero_width(point.value)) ++width;
    at += point.size;
  }
  return width;
}

void TextTable::add_row(std::vector<std::string> cells) {
  OMNIFIT_CHECK(cells.size() == columns_.size(), "a table of {} columns got a row of {} cells",
                columns_.size(), cells.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::str() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = display_width(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[c]));
    widths.push_back(width);
  }
  const auto line_of = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::string cell = cell_of(c);
      const std::string padding(widths[c] - display_width(cell), ' ');
      if (c > 0) line += "  ";
      line += columns_[c].align == Align::kRight ? padding + cell : cell + padding;
    }
    return line;
  };
  std::string out;
  append_line(out, line_of([&](std::size_t c) { return columns_[c].title; }));
  append_line(out, line_of([&](std::size_t c) { return std::string(widths[c], '-'); }));
  for (const auto& row : rows_) append_line(out, line_of([&](std::size_t c) { return row[c]; }));
  return out;
}

}  // namespace omnifit::core
