#pragma once

#include "core/fields.hpp"

#include <optional>
#include <string>
#include <vector>

namespace omnifit::pipeline {

/// Costs a budget may bound. Their metric names are those of the search's evaluator.
enum class Cost {
  kLatency,
  kMacs,
  kParams,
  kPeakMemory,
  kModelSize,
  kPeakMemoryInt8,
  kModelSizeInt8
};

/// Every cost, in the order tables show them.
const std::vector<Cost>& all_costs();
/// Key in the job file: "latency", "macs", "params", "peak_memory", "model_size",
/// "peak_memory_int8", "model_size_int8".
const std::string& cost_key(Cost cost);
/// Name of the metric: "latency_ms", or that of space::PlanCost.
const std::string& cost_metric(Cost cost);
/// A value with its unit for people: "1.23 ms", "3.4 M", "120 kB".
std::string format_cost(Cost cost, double value);

/// What a bound limits or an objective improves.
struct Quantity {
  std::optional<Cost> cost;  ///< empty: the top-1 accuracy, or a `column`
  std::string device;        ///< of a latency; empty: the job's first device
  std::string column{};      ///< any metric of a tabular space's tables by its own name
  [[nodiscard]] bool is_top1() const { return !cost && column.empty(); }
  /// As the job says it: "top1", "macs", "latency@note10", "table@energy_mj".
  [[nodiscard]] std::string key() const;
  /// Name of the evaluator's metric: "top1", "macs", "latency_ms@note10", "table@energy_mj".
  [[nodiscard]] std::string metric() const;
  /// A value with its unit for people.
  [[nodiscard]] std::string format(double value) const;
  friend bool operator==(const Quantity&, const Quantity&) = default;
};

/// A bound as the job says it: absolute in the quantity's unit, or relative to the space.
struct Bound {
  Quantity quantity;
  double amount = 0.0;  ///< ms, count, bytes or accuracy as a fraction; or the share of the way
                        ///< from the smallest to the largest subnet
  bool relative = false;
  bool at_least = false;  ///< a lower bound rather than an upper one
  /// The absolute bound, given the quantity of the smallest and the largest subnet.
  [[nodiscard]] double resolve(double smallest, double largest) const {
    return relative ? smallest + amount * (largest - smallest) : amount;
  }
};

/// A bound in the quantity's own unit.
struct Limit {
  Quantity quantity;
  double value = 0.0;
  bool at_least = false;
  /// "latency@note10 <= 20.0 ms".
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool kept_by(double amount) const {
    return at_least ? amount >= value : amount <= value;
  }
};

/// Parses "40%", "12 ms", "800 us", "3.2 M", "64 kB" into an upper bound. @throws ConfigError
/// (without location) saying what is allowed.
Bound parse_bound(Cost cost, const std::string& text);
/// How a bound or an objective names a metric of the tables: "table@energy_mj".
inline constexpr const char* kTableKey = "table";
/// Parses "latency@note10 <= 20 ms", "macs <= 40%", "top1 >= 75 %", "table@energy_mj <= 12"; an
/// accuracy's per cent are of the images. @throws ConfigError (without location) saying what is
/// allowed.
Bound parse_bound(const std::string& text);

/// One entry of `search.budgets`: bounds that a network must keep all at once.
struct BudgetConfig {
  std::string name;  ///< of its files and table row; empty: made from the bounds
  std::string latency;
  std::string macs;
  std::string params;
  std::string peak_memory;
  std::string model_size;
  std::string peak_memory_int8;
  std::string model_size_int8;
  std::vector<std::string> more;  ///< key "bounds": any others, e.g. "latency@note10 <= 20 ms"
  void fields(core::Fields& f);

  /// Bounds that are set, in the order of all_costs(), then those of `more`. @pre fields() accepted
  /// them
  [[nodiscard]] std::vector<Bound> bounds() const;
  /// "latency <= 40%", "latency <= 12 ms, macs <= 3 M": how tables and the project file call the
  /// budget.
  [[nodiscard]] std::string text() const;
  /// Usable as a file name: `name`, or for example "latency-40pct".
  [[nodiscard]] std::string slug() const;
  friend bool operator==(const BudgetConfig&, const BudgetConfig&) = default;

 private:
  /// The text of a cost's own key.
  [[nodiscard]] std::string& bound_text(Cost cost);
  [[nodiscard]] const std::string& bound_text(Cost cost) const;
};

}  // namespace omnifit::pipeline
