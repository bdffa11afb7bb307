#include "space/tabular.hpp"

#include "core/error.hpp"
#include "core/node.hpp"
#include "space/detail/arch_pattern.hpp"
#include "space/detail/csv.hpp"
#include "space/sampling.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

namespace omnifit::space {

namespace {

/// Reads which arch a row is of, from a whole-arch column or from a column per gene.
class ArchReader {
 public:
  ArchReader(const SearchSpace& space, const TabularFile& table, const detail::CsvFile& csv)
      : space_(space), csv_(csv) {
    std::vector<std::string> names;
    for (const Gene& gene : space.genes()) names.push_back(gene.name);
    if (table.arch_column.empty()) {
      for (const std::string& name : names) columns_.push_back(csv.column(name));
      return;
    }
    columns_.push_back(csv.column(table.arch_column));
    auto compiled = detail::ArchPattern::compile(table.arch_pattern, names);
    pattern_ = std::get<detail::ArchPattern>(std::move(compiled));  // the space's reader checked it
  }

  [[nodiscard]] Arch read(std::size_t row) const {
    if (pattern_) {
      const auto parsed = pattern_->parse(csv_.cell(row, columns_.front()), space_.genes());
      if (const auto* problem = std::get_if<std::string>(&parsed)) csv_.fail(row, *problem);
      return {space_, std::get<std::vector<std::uint8_t>>(parsed)};
    }
    std::vector<std::uint8_t> choices;
    for (std::size_t g = 0; g < columns_.size(); ++g) {
      const Gene& gene = space_.genes()[g];
      const std::string& label = csv_.cell(row, columns_[g]);
      const auto choice = detail::find_label(gene, label);
      if (!choice) csv_.fail(row, detail::unknown_label(gene, label));
      choices.push_back(*choice);
    }
    return {space_, choices};
  }

 private:
  const SearchSpace& space_;
  const detail::CsvFile& csv_;
  std::optional<detail::ArchPattern> pattern_;
  std::vector<std::size_t> columns_;
};

/// Rows of the first file by the text of a column.
std::unordered_map<std::string, std::size_t> index_by(const detail::CsvFile& csv,
                                                      const std::string& name) {
  const std::size_t column = csv.column(name);
  std::unordered_map<std::string, std::size_t> rows;
  for (std::size_t row = 0; row < csv.num_rows(); ++row) {
    const auto [known, is_new] = rows.emplace(csv.cell(row, column), row);
    if (!is_new) {
      csv.fail(row, fmt::format("{} '{}' stands in line {} already", name, known->first,
                                csv.line(known->second)));
    }
  }
  return rows;
}

using RowOfArch = std::unordered_map<Arch, std::size_t, ArchHash>;

/// The arch of every row of the first file.
std::vector<Arch> read_archs(const SearchSpace& space, const detail::CsvFile& csv) {
  const ArchReader reader(space, space.tables().front(), csv);
  std::vector<Arch> archs;
  for (std::size_t row = 0; row < csv.num_rows(); ++row) archs.push_back(reader.read(row));
  return archs;
}

RowOfArch index_archs(const SearchSpace& space, const detail::CsvFile& csv,
                      const std::vector<Arch>& archs) {
  RowOfArch rows;
  for (std::size_t row = 0; row < archs.size(); ++row) {
    const auto [known, is_new] = rows.emplace(archs[row], row);
    if (!is_new) {
      csv.fail(row, fmt::format("{} stands in line {} already", to_text(space, archs[row]),
                                csv.line(known->second)));
    }
  }
  return rows;
}

/// The row of the first file with the same text, for every row of `csv`.
std::vector<std::size_t> join_by_text(const TabularFile& table, const detail::CsvFile& csv,
                                      const TabularFile& first_table,
                                      const detail::CsvFile& first) {
  const auto rows = index_by(first, table.join_on);
  const std::size_t column = csv.column(table.join_on);
  std::vector<std::size_t> targets;
  for (std::size_t row = 0; row < csv.num_rows(); ++row) {
    const std::string& text = csv.cell(row, column);
    const auto found = rows.find(text);
    if (found == rows.end()) {
      csv.fail(row, fmt::format("{} '{}' is not in {}", table.join_on, text, first_table.file));
    }
    targets.push_back(found->second);
  }
  return targets;
}

/// The row of the first file with the same arch, for every row of `csv`.
std::vector<std::size_t> join_by_arch(const SearchSpace& space, const TabularFile& table,
                                      const detail::CsvFile& csv, const RowOfArch& rows) {
  const ArchReader reader(space, table, csv);
  std::vector<std::size_t> targets;
  for (std::size_t row = 0; row < csv.num_rows(); ++row) {
    const Arch arch = reader.read(row);
    const auto found = rows.find(arch);
    if (found == rows.end()) {
      csv.fail(row,
               fmt::format("{} is not in {}", to_text(space, arch), space.tables().front().file));
    }
    targets.push_back(found->second);
  }
  return targets;
}

/// Refuses files with two rows of one arch.
void check_distinct(const SearchSpace& space, const detail::CsvFile& csv,
                    const std::vector<std::size_t>& targets, const std::vector<Arch>& archs) {
  std::unordered_map<std::size_t, std::size_t> row_of;
  for (std::size_t row = 0; row < targets.size(); ++row) {
    const auto [known, is_new] = row_of.emplace(targets[row], row);
    if (!is_new) {
      csv.fail(row, fmt::format("{} stands in line {} already", to_text(space, archs[targets[row]]),
                                csv.line(known->second)));
    }
  }
}

}  // namespace

TabularData TabularData::load(const SearchSpace& space, const std::filesystem::path& data_root) {
  if (space.family_kind() != Family::kTabular) {
    throw ConfigError(fmt::format("space {} has no tables: its family is {}, not tabular",
                                  space.name(), space.family()));
  }
  TabularData data;
  for (const TabularFile& table : space.tables()) {
    std::ranges::copy(table.metrics, std::back_inserter(data.metrics_));
  }
  const TabularFile& first_table = space.tables().front();
  const auto first = detail::CsvFile::load(data_root / first_table.file);
  data.archs_ = read_archs(space, first);
  data.rows_ = index_archs(space, first, data.archs_);
  data.values_.assign(data.archs_.size() * data.metrics_.size(),
                      std::numeric_limits<double>::quiet_NaN());
  std::vector<std::size_t> own_rows(data.archs_.size());
  std::iota(own_rows.begin(), own_rows.end(), std::size_t{0});
  data.fill(first_table, first, own_rows, 0);
  std::size_t column = first_table.metrics.size();
  for (const TabularFile& table : std::span(space.tables()).subspan(1)) {
    const auto csv = detail::CsvFile::load(data_root / table.file);
    const std::vector<std::size_t> targets = table.join_on.empty()
                                                 ? join_by_arch(space, table, csv, data.rows_)
                                                 : join_by_text(table, csv, first_table, first);
    check_distinct(space, csv, targets, data.archs_);
    data.fill(table, csv, targets, column);
    column += table.metrics.size();
  }
  data.count_incomplete(space);
  return data;
}

void TabularData::fill(const TabularFile& table, const detail::CsvFile& csv,
                       std::span<const std::size_t> targets, std::size_t first_column) {
  for (std::size_t m = 0; m < table.metrics.size(); ++m) {
    const std::size_t column = csv.column(table.metrics[m].column);
    for (std::size_t row = 0; row < csv.num_rows(); ++row) {
      values_[targets[row] * metrics_.size() + first_column + m] =
          csv.number(row, column) * table.metrics[m].factor;
    }
  }
}

void TabularData::count_incomplete(const SearchSpace& space) {
  num_incomplete_ = cardinality(space) - archs_.size();
  for (std::size_t row = 0; row < archs_.size(); ++row) {
    const auto values = std::span(values_).subspan(row * metrics_.size(), metrics_.size());
    num_incomplete_ += std::ranges::any_of(values, [](double v) { return std::isnan(v); }) ? 1 : 0;
  }
}

std::size_t metric_position(std::span<const TabularMetric> metrics, const std::string& name) {
  std::vector<std::string> known;
  for (const TabularMetric& candidate : metrics) {
    if (candidate.name == name) return known.size();
    known.push_back(candidate.name);
  }
  const std::string guess = core::did_you_mean(name, known);
  throw ConfigError(fmt::format("the tables have no metric '{}'{} (allowed: {})", name,
                                guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess),
                                fmt::join(known, ", ")));
}

std::optional<std::span<const double>> TabularData::find(const Arch& arch) const {
  const auto found = rows_.find(arch);
  if (found == rows_.end()) return std::nullopt;
  return std::span(values_).subspan(found->second * metrics_.size(), metrics_.size());
}

}  // namespace omnifit::space
