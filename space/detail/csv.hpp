#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::space::detail {

/// A comma-separated file with a header line, held as one text. Cells may be quoted ("a,b", with ""
/// for a quote); lines end with LF or CRLF; a byte order mark and empty lines are skipped; quoted
/// cells do not span lines.
class CsvFile {
 public:
  /// @throws DataError "PATH:LINE: …" if the file is missing or not readable, has no header, names
  /// a column twice, leaves a quote open, or has a row with another number of cells than the
  /// header.
  static CsvFile load(const std::filesystem::path& file);

  [[nodiscard]] std::size_t num_rows() const { return lines_.size(); }
  /// As the header names them.
  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  /// Position of a column. @throws DataError naming the columns there are.
  [[nodiscard]] std::size_t column(const std::string& name) const;
  /// @pre row < num_rows() and column is one of this file
  [[nodiscard]] const std::string& cell(std::size_t row, std::size_t column) const {
    return cells_[row * columns_.size() + column];
  }
  [[nodiscard]] int line(std::size_t row) const { return lines_[row]; }

  /// @throws DataError "PATH:LINE: message"
  [[noreturn]] void fail(std::size_t row, const std::string& message) const;
  /// The cell as a finite number. @throws DataError if it is not one.
  [[nodiscard]] double number(std::size_t row, std::size_t column) const;

 private:
  std::string path_;
  std::vector<std::string> columns_;
  std::vector<std::string> cells_;  ///< row after row
  std::vector<int> lines_;          ///< of each row, 1-based
};

}  // namespace omnifit::space::detail
