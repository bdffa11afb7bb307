#pragma once

#include <span>
#include <vector>

namespace omnifit::search::detail {

/// Solution of a game of two players: one weighs the entries of a column, the other mixes columns.
struct GameSolution {
  double value = 0.0;
  std::vector<double> weights;  ///< at least 0, sum 1: no column has less than `value` under them
  std::vector<double> mix;      ///< of the columns, likewise: no entry of the mixture exceeds it
};

/// Largest least weighted sum of `columns`, all of one size: max over weights of min over columns.
///
/// By the simplex method on the player who mixes; Bland's rule keeps it from going in circles. Made
/// for a handful of entries and up to a few hundred columns. Deterministic.
/// @pre there is a column, columns are not empty, and all entries are finite
GameSolution solve_game(std::span<const std::vector<double>> columns);

}  // namespace omnifit::search::detail
