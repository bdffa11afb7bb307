#pragma once

#include "space/arch.hpp"
#include "space/search_space.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace omnifit::space {

/// Figures of the graph that an arch of a tabular space with a `graph` makes of its edges, from the
/// first node to the last. An edge is live if a path of uncut edges from the first to the last node
/// goes through it: other edges do nothing, and archs that differ there alone have equal figures.
///
/// Columns, all in [0, 1]: live edges of each operation; dead edges; over the uncut paths, for each
/// operation but the cutting one, the most times it stands on one path, and how often on all of
/// them together; uncut paths; the most operations on one that are no shortcuts. Immutable,
/// thread-safe.
class CellFeatures {
 public:
  /// @pre space.cell_graph() is there
  explicit CellFeatures(const SearchSpace& space);

  [[nodiscard]] std::size_t num_columns() const { return names_.size(); }
  [[nodiscard]] const std::vector<std::string>& column_names() const { return names_; }
  /// Writes num_columns() values. @pre the arch is of that space
  void encode(const Arch& arch, std::span<double> row) const;

 private:
  std::vector<std::string> operations_;        ///< the cutting one first
  std::vector<std::vector<std::size_t>> ops_;  ///< per gene and choice: index into operations_
  std::size_t pass_ = 0;                       ///< the operation that does nothing; 0: none does
  std::vector<std::vector<int>> paths_;        ///< genes along each path from first to last node
  std::size_t longest_path_ = 0;
  std::vector<std::string> names_;
};

}  // namespace omnifit::space
