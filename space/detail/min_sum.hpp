#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace omnifit::space::detail {

/// A function of a few genes as a dense table; the last gene varies fastest.
struct GeneTable {
  std::vector<int> genes;  ///< ascending
  std::vector<double> values;
};

struct MinSum {
  double value = 0.0;
  std::vector<std::uint8_t> choices;  ///< one per gene
};

/// Minimum of the sum of `tables` over all combinations of choices, found by eliminating one gene
/// after another, the last first. Work is the size of the joined tables, which stays small where
/// each block's genes meet other blocks' only through depth and resolution. Infinite entries are
/// never part of a minimum unless every sum is infinite.
/// @param num_choices of each gene.
MinSum minimise_sum(std::vector<GeneTable> tables, const std::vector<std::size_t>& num_choices);

}  // namespace omnifit::space::detail
