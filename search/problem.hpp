#pragma once

#include "search/evaluator.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace omnifit::search {

/// A metric to make as good as possible.
struct Objective {
  std::string metric;            ///< name of one of Evaluator::metrics()
  std::optional<bool> maximise;  ///< absent: the metric's own direction
  friend bool operator==(const Objective&, const Objective&) = default;
};

/// Closed limits of a metric, in its unit; at least one of them is given.
struct Bound {
  std::string metric;
  std::optional<double> min;
  std::optional<double> max;
  friend bool operator==(const Bound&, const Bound&) = default;
};

/// "latency_ms <= 1.23", "top1 >= 0.9", "0.5 <= macs <= 1".
std::string to_text(const Bound& bound);

/// How much `excess` beyond `limit` counts: relative to the limit, so that bounds of different
/// units add up; 0 where nothing is exceeded.
double relative_excess(double excess, double limit);

/// What a search looks for: the best subnet (one objective) or the best trade-offs (several) within
/// the bounds.
struct Problem {
  std::vector<Objective> objectives;
  std::vector<Bound> bounds;
};

/// Why one metric row is better or worse than another.
struct Score {
  bool feasible = false;   ///< every metric is finite and every bound is kept
  double violation = 0.0;  ///< sum over the bounds of the relative excess; 0 if feasible, infinite
                           ///< if not evaluated
  std::vector<double> objectives;  ///< in the problem's order, all to be minimised
};

/// A problem bound to the columns of an evaluator. Immutable, thread-safe.
class Scorer {
 public:
  /// @throws ConfigError if the problem has no objective, names an unknown metric (with the nearest
  /// known one), names a metric twice, or has a bound that is NaN, missing or contradicts itself.
  Scorer(const Problem& problem, const std::vector<Metric>& metrics);

  /// @pre row.size() equals the number of metrics
  [[nodiscard]] Score score(std::span<const double> row) const;
  [[nodiscard]] std::size_t num_objectives() const { return objectives_.size(); }

  /// Coordinates of the trade-off, all to be minimised: the objectives and, where there is only
  /// one, also the bounded metrics (cheaper than a maximum, more than a minimum), so that the front
  /// leads from the best subnet to the cheapest.
  [[nodiscard]] std::vector<double> trade_off(std::span<const double> row) const;
  [[nodiscard]] std::size_t num_trade_off() const { return trade_off_.size(); }

 private:
  struct Term {
    std::size_t column = 0;
    double sign = 1.0;  ///< -1: maximised
  };
  struct Limit {
    std::size_t column = 0;
    std::optional<double> min;
    std::optional<double> max;
  };

  std::vector<Term> objectives_;
  std::vector<Limit> limits_;
  std::vector<Term> trade_off_;
};

/// Feasible before infeasible, less violation before more, then the first objective; false for
/// equals.
bool better(const Score& a, const Score& b);

}  // namespace omnifit::search
