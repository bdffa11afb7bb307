#pragma once

#include "space/arch.hpp"
#include "space/sampling.hpp"
#include "space/search_space.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace omnifit::space {

namespace detail {
class CsvFile;
}  // namespace detail

/// Position of a metric among `metrics`. @throws ConfigError with the nearest known name and all of
/// them.
std::size_t metric_position(std::span<const TabularMetric> metrics, const std::string& name);

/// The figures of a tabular space: every metric of all its files for every arch in them. Immutable,
/// thread-safe.
class TabularData {
 public:
  /// Reads and joins the files of `space` below `data_root`. The first file decides which archs
  /// there are; the others may lack some of them.
  /// @throws ConfigError if the space is not tabular; DataError "PATH:LINE: …" if a file or column
  /// is missing, a number is missing, not finite or not a number, a choice is unknown, an arch or
  /// the text it is joined by stands twice, or a later file has an arch that the first one lacks.
  static TabularData load(const SearchSpace& space, const std::filesystem::path& data_root);

  /// Of all files, in the space's order.
  [[nodiscard]] const std::vector<TabularMetric>& metrics() const { return metrics_; }
  /// See metric_position().
  [[nodiscard]] std::size_t column(const std::string& metric) const {
    return metric_position(metrics_, metric);
  }
  /// Archs of the first file in its order.
  [[nodiscard]] const std::vector<Arch>& archs() const { return archs_; }
  /// Figures in the order of metrics(), NaN where a file lacks the arch; nullopt if the first file
  /// lacks it.
  [[nodiscard]] std::optional<std::span<const double>> find(const Arch& arch) const;
  /// Archs of the space that lack at least one figure.
  [[nodiscard]] Count num_incomplete() const { return num_incomplete_; }

 private:
  void fill(const TabularFile& table, const detail::CsvFile& csv,
            std::span<const std::size_t> targets, std::size_t first_column);
  void count_incomplete(const SearchSpace& space);

  std::vector<TabularMetric> metrics_;
  std::vector<Arch> archs_;
  std::unordered_map<Arch, std::size_t, ArchHash> rows_;
  std::vector<double> values_;  ///< row after row
  Count num_incomplete_ = 0;
};

}  // namespace omnifit::space
