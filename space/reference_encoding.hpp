#pragma once

#include "space/arch.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace omnifit::space {

/// Features of an arch in the column order of the reference's accuracy predictors, which released
/// weights expect. Ones at the chosen resolution and at the choices of every block that runs.
struct ReferenceEncoding {
  enum class Order {
    kBlocksFirst,     ///< kernel sizes, expand ratios, resolution: the tutorial's predictor
    kResolutionFirst  ///< resolution, kernel sizes, expand ratios; of a bottleneck space
                      ///< resolution, stem (without and with its residual layer), widths, ratios
  };
  Order order = Order::kResolutionFirst;
  std::vector<int> sizes;  ///< resolutions with a column, ascending
};

/// The tutorial's: 128 columns for the MobileNetV3 space, resolutions 112 to 224 in steps of 16.
ReferenceEncoding tutorial_encoding();

/// The same encoding compiled for a space: gives the columns that are one without looking at the
/// space again and without allocating. Immutable and thread-safe.
class ReferenceEncoder {
 public:
  /// Whether a resolution of the space must have a column of its own or may take the nearest one
  /// (of two equally near the smaller).
  enum class Resolutions { kExact, kNearest };
  using Columns = std::array<std::uint16_t, 2 * Arch::kMaxGenes + 1>;

  /// @throws std::invalid_argument if `sizes` is empty, if a bottleneck space is asked for with the
  /// blocks first, if the network has more positions than Columns holds, or, with kExact, if a
  /// resolution of the space has no column.
  ReferenceEncoder(const SearchSpace& space, const ReferenceEncoding& encoding,
                   Resolutions resolutions = Resolutions::kExact);

  [[nodiscard]] int num_columns() const { return num_columns_; }
  /// Writes the columns that are one, ascending, and returns that part of `columns`.
  /// @throws std::invalid_argument if the arch is of another space.
  std::span<const std::uint16_t> ones(const Arch& arch, Columns& columns) const;

 private:
  /// One position: one of its columns is one if the block it belongs to runs.
  struct Position {
    int gene = -1;         ///< whose choice says which column; -1: always the first
    int depth_gene = -1;   ///< whose choice says whether the block runs; -1: it always does
    int min_depth = 0;     ///< smallest choice of that gene with which it runs
    int first_column = 0;  ///< of the first choice
    std::vector<std::uint16_t> column_of = {};  ///< resolution: per choice of the gene; else empty
  };

  void add_resolution(const SearchSpace& space, const std::vector<int>& sizes,
                      Resolutions resolutions);
  void add_stem_and_widths(const SearchSpace& space);
  void add_blocks(const SearchSpace& space, Axis axis);
  void add(Position position, std::size_t num_choices);

  std::uint64_t space_ = 0;
  int num_columns_ = 0;
  std::vector<Position> positions_;
};

/// One row. Blocks of stages without genes have no columns.
/// @throws std::invalid_argument if the arch's resolution is not one of `sizes`, or as
/// ReferenceEncoder does.
std::vector<double> reference_row(const SearchSpace& space, const Arch& arch,
                                  const ReferenceEncoding& encoding);

}  // namespace omnifit::space
