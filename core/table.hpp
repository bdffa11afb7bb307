#pragma once

#include <string>
#include <vector>

namespace omnifit::core {

enum class Align { kLeft, kRight };

/// A text table for terminals: columns aligned by display width (UTF-8 aware), header underlined.
class TextTable {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// @pre cells.size() equals the number of columns
  void add_row(std::vector<std::string> cells);
  /// Ends with a newline. Two spaces between columns, no trailing spaces.
  [[nodiscard]] std::string str() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Number of terminal columns of UTF-8 text (combining marks 0, everything else 1).
std::size_t display_width(const std::string& text);

}  // namespace omnifit::core
