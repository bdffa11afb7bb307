#pragma once

#include <optional>
#include <span>

namespace omnifit::latency {

/// What a table says of a whole network before it is corrected.
struct NetworkSum {
  double sum_ms = 0.0;  ///< of the units' latencies
  int num_units = 0;
  double weight_mb = 0.0;     ///< model size in float32, 10^6 bytes
  double deviation_ms = 0.0;  ///< of units that were not measured, added up
  friend bool operator==(const NetworkSum&, const NetworkSum&) = default;
};

/// Turns the sum of unit latencies into an estimate of the whole network:
/// scale * sum + offset_ms + unit_overhead_ms * units + weight_ms_per_mb * weights. The sum alone
/// misses what happens between units (caches, scheduling, the runtime's fixed cost).
struct Correction {
  double scale = 1.0;  ///< > 0, so that the order of networks is kept
  double offset_ms = 0.0;
  int num_fit = 0;                ///< networks it was fitted on; 0 = the plain sum
  double unit_overhead_ms = 0.0;  ///< of every unit, may be negative; 0 where it does not help
  /// Of every megabyte of weights, >= 0; 0 where it does not help. A unit timed alone finds its
  /// weights in the core's cache, in a network that does not fit there it has to fetch them.
  double weight_ms_per_mb = 0.0;
  /// What networks show of the deviations of their units, which as a sum say that all units err the
  /// same way. 1 where no networks tell.
  double deviation_scale = 1.0;
  /// Standard deviation of the estimate, of units that were not measured.
  [[nodiscard]] double deviation_ms(const NetworkSum& network) const {
    return deviation_scale * scale * network.deviation_ms;
  }
  /// What a unit of `time_ms` alone and `weight_mb` of weights adds to a network.
  [[nodiscard]] double unit(double time_ms, double weight_mb) const {
    return scale * time_ms + unit_overhead_ms + weight_ms_per_mb * weight_mb;
  }
  [[nodiscard]] double operator()(const NetworkSum& network) const {
    return scale * network.sum_ms + offset_ms + unit_overhead_ms * network.num_units +
           weight_ms_per_mb * network.weight_mb;
  }
  /// For corrections of the sum alone. @pre unit_overhead_ms == 0 and weight_ms_per_mb == 0
  [[nodiscard]] double operator()(double sum_ms) const;
  friend bool operator==(const Correction&, const Correction&) = default;
};

/// Robust line through (sum, measured): Theil–Sen, so that a disturbed measurement moves little.
///
/// If there are fewer than three distinct sums, or the line falls or gives `smallest_sum_ms` (the
/// cheapest network of the space) no positive estimate, the correction is the median ratio with
/// offset 0. No networks give the identity. @throws std::invalid_argument on sizes that differ or
/// times that are not positive.
Correction fit_correction(std::span<const double> sums_ms, std::span<const double> measured_ms,
                          double smallest_sum_ms);

/// As above, with an overhead per unit, a time per megabyte of weights, or both, where that
/// predicts networks better that it was not fitted on: the mean relative error of leaving each
/// network out once must fall by a tenth for an overhead, and not rise by more than chance makes it
/// for the weights, which are known to take time; and the correction must give `smallest` a
/// positive estimate. The overhead is negative where timing a unit costs a call that a whole
/// network pays once. Needs eight networks.
///
/// With eight networks that have a deviation, `deviation_scale` is such that their errors are as
/// large as it says: the median of |error| / deviation, for normal errors (1.4826), and for the
/// numbers that were fitted.
Correction fit_correction(std::span<const NetworkSum> networks, std::span<const double> measured_ms,
                          const NetworkSum& smallest);

/// How good estimates are on networks that took no part in fitting them.
struct EstimateCheck {
  int num_check = 0;
  std::optional<double> mape;               ///< fraction; empty without networks
  std::optional<double> within_10_percent;  ///< share of the networks, fraction
  std::optional<double> kendall_tau;        ///< empty where undefined
  std::optional<double> r2 = std::nullopt;  ///< coefficient of determination; empty where undefined
  friend bool operator==(const EstimateCheck&, const EstimateCheck&) = default;
};
EstimateCheck judge_estimates(std::span<const double> estimated_ms,
                              std::span<const double> measured_ms);

}  // namespace omnifit::latency
