#pragma once

#include "core/fields.hpp"

#include <optional>
#include <string>
#include <vector>

namespace omnifit::pipeline {

/// Costs a budget may bound. Their metric names are those of the search's evaluator.
enum class Cost { kLatency, kMacs, kParams, kPeakMemory, kModelSize };

/// Every cost, in the order tables show them.
const std::vector<Cost>& all_costs();
/// Key in the job file: "latency", "macs", "params", "peak_memory", "model_size".
const std::string& cost_key(Cost cost);
/// Name of the metric: "latency_ms", "macs", "params", "peak_memory_bytes", "model_bytes".
const std::string& cost_metric(Cost cost);
/// A value with its unit for people: "1.23 ms", "3.4 M", "120 kB".
std::string format_cost(Cost cost, double value);

/// An upper bound as the job says it: absolute in the cost's unit, or relative to the space.
struct Bound {
  Cost cost = Cost::kLatency;
  double amount =
      0.0;  ///< ms, count or bytes; or the share of the way from the smallest to the largest subnet
  bool relative = false;
  /// The absolute bound, given the costs of the smallest and the largest subnet.
  [[nodiscard]] double resolve(double smallest, double largest) const {
    return relative ? smallest + amount * (largest - smallest) : amount;
  }
};

/// Parses "40%", "12 ms", "800 us", "3.2 M", "64 kB". @throws ConfigError (without location) saying
/// what is allowed.
Bound parse_bound(Cost cost, const std::string& text);

/// One entry of `search.budgets`: upper bounds that a network must keep all at once.
struct BudgetConfig {
  std::string name;  ///< of its files and table row; empty: made from the bounds
  std::string latency;
  std::string macs;
  std::string params;
  std::string peak_memory;
  std::string model_size;
  void fields(core::Fields& f);

  /// Bounds that are set, in the order of all_costs(). @pre fields() accepted them
  [[nodiscard]] std::vector<Bound> bounds() const;
  /// "latency <= 40%", "latency <= 12 ms, macs <= 3 M": how tables and the project file call the
  /// budget.
  [[nodiscard]] std::string text() const;
  /// Usable as a file name: `name`, or for example "latency-40pct".
  [[nodiscard]] std::string slug() const;
  friend bool operator==(const BudgetConfig&, const BudgetConfig&) = default;
};

}  // namespace omnifit::pipeline
