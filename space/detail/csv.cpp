#include "space/detail/csv.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace omnifit::space::detail {

namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

[[noreturn]] void fail_at(const std::string& path, int line, const std::string& message) {
  throw DataError(fmt::format("{}:{}: {}", path, line, message));
}

/// One quoted cell that begins at `at` (the quote); leaves `at` behind the closing quote. False if
/// there is none.
bool read_quoted(std::string_view line, std::size_t& at, std::string& cell) {
  for (++at; at < line.size(); ++at) {
    if (line[at] != '"') {
      cell += line[at];
    } else if (at + 1 < line.size() && line[at + 1] == '"') {
      cell += line[++at];
    } else {
      ++at;
      return true;
    }
  }
  return false;
}

std::vector<std::string> split(std::string_view line, const std::string& path, int number) {
  std::vector<std::string> cells;
  std::size_t at = 0;
  while (true) {
    std::string cell;
    if (at < line.size() && line[at] == '"' && !read_quoted(line, at, cell)) {
      fail_at(path, number, "a quote is left open");
    }
    while (at < line.size() && line[at] != ',') cell += line[at++];
    cells.push_back(std::move(cell));
    if (at >= line.size()) return cells;
    ++at;
  }
}

}  // namespace

CsvFile CsvFile::load(const std::filesystem::path& file) {
  CsvFile csv;
  csv.path_ = core::path_text(file);
  const std::string text = core::read_text_file(file, kMaxBytes);
  std::string_view rest = text;
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    std::vector<std::string> cells = split(line, csv.path_, number);
    if (csv.columns_.empty()) {
      const std::set<std::string> distinct(cells.begin(), cells.end());
      if (distinct.size() < cells.size()) {
        fail_at(csv.path_, number, "the header names a column twice");
      }
      csv.columns_ = std::move(cells);
      continue;
    }
    if (cells.size() != csv.columns_.size()) {
      fail_at(csv.path_, number,
              fmt::format("found {} cells, the header has {}", cells.size(), csv.columns_.size()));
    }
    std::ranges::move(cells, std::back_inserter(csv.cells_));
    csv.lines_.push_back(number);
  }
  if (csv.columns_.empty()) throw DataError(csv.path_ + ": the file is empty");
  return csv;
}

std::size_t CsvFile::column(const std::string& name) const {
  const auto found = std::ranges::find(columns_, name);
  if (found == columns_.end()) {
    fail_at(path_, 1,
            fmt::format("there is no column '{}' (found: {})", name, fmt::join(columns_, ", ")));
  }
  return static_cast<std::size_t>(found - columns_.begin());
}

void CsvFile::fail(std::size_t row, const std::string& message) const {
  fail_at(path_, lines_[row], message);
}

double CsvFile::number(std::size_t row, std::size_t column) const {
  const std::string& text = cell(row, column);
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || !std::isfinite(value)) {
    fail(row, fmt::format("{} must be a finite number, found '{}'", columns_[column], text));
  }
  return value;
}

}  // namespace omnifit::space::detail
