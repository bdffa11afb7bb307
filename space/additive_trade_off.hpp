#pragma once

#include "space/additive_cost.hpp"

#include <limits>
#include <vector>

namespace omnifit::space {

struct TradeOffOptions {
  /// Archs that cost more are left out.
  double max_cost = std::numeric_limits<double>::infinity();
  /// Partial solutions whose costs fall into one of so many equal cells between the least cost and
  /// the largest one allowed compete by value alone; 0 keeps all of them, which is exact and may
  /// take long. Costs and values of what is found are exact either way.
  int cells = 256;
};

struct TradeOffPoint {
  double cost = 0.0;
  double value = 0.0;
  Arch arch;
};

/// The archs with the most value for their cost, both sums over genes: no arch of the space costs
/// less and has more value (up to the width of a cell, see TradeOffOptions). Ascending by cost and
/// by value; empty if no arch of known cost and value keeps `max_cost`.
///
/// A knapsack with several choices per item, solved by dynamic programming: genes are eliminated
/// one after another, the last first, and what is kept of them is the trade-off for every
/// combination of the genes they share a table with. Deterministic.
/// @throws std::invalid_argument if `cells` is negative.
std::vector<TradeOffPoint> additive_trade_off(const SearchSpace& space, const AdditiveCost& cost,
                                              const AdditiveCost& value,
                                              const TradeOffOptions& options = {});

}  // namespace omnifit::space
