#pragma once

#include "latency_lut/correction.hpp"
#include "latency_lut/kernel_regressor.hpp"
#include "space/additive_cost.hpp"
#include "space/plan.hpp"
#include "store/database.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::latency {

/// Median latency of units on one device under one protocol, and the correction to whole networks.
/// An arch with a unit that nobody measured has no estimate, unless fill_gaps() was called: then a
/// kernel regressor answers for such units, and estimates say so. Immutable apart from
/// set_correction and fill_gaps; reading is thread-safe.
class LatencyTable {
 public:
  LatencyTable() = default;
  /// @throws std::invalid_argument if a time is not finite and positive.
  explicit LatencyTable(std::map<space::LayerSpec, double> median_ms, Correction correction = {});

  /// The measured rows of a device, without correction. Failed units are absent.
  /// @throws DataError if a row cannot be read.
  static LatencyTable load(const store::Database& db, std::int64_t device_id,
                           const std::string& protocol_hash);
  /// The table a profile stage left: its device's rows with the correction it fitted.
  /// @throws StateError if that stage run stored no latency model.
  static LatencyTable of_stage(const store::Database& db, std::int64_t stage_run_id,
                               const std::string& protocol_hash);

  void set_correction(const Correction& correction) { correction_ = correction; }
  [[nodiscard]] const Correction& correction() const { return correction_; }
  [[nodiscard]] std::size_t size() const { return median_ms_.size(); }

  /// Fits a kernel regressor on the measured units; from now on it answers for all others.
  /// @throws StateError with fewer than KernelRegressor::kMinUnits measured units.
  void fill_gaps();
  [[nodiscard]] bool fills_gaps() const { return regressor_.has_value(); }

  /// Where a unit's number comes from.
  struct UnitEstimate {
    LatencyEstimate latency;
    bool measured = true;  ///< false: a regressor's
  };
  [[nodiscard]] std::optional<UnitEstimate> unit(const space::LayerSpec& spec) const;
  /// A network's corrected sum.
  struct NetworkEstimate {
    /// The deviation is that of the units which were not measured; their errors are taken to go the
    /// same way, so they add up.
    LatencyEstimate latency;
    int num_regressed = 0;  ///< units that were not measured
  };
  /// nullopt if a unit has no number (added once to `missing`).
  [[nodiscard]] std::optional<NetworkEstimate> estimate(
      const space::NetworkPlan& plan, std::vector<space::LayerSpec>* missing = nullptr) const;

  /// Time of a unit, measured or regressed.
  [[nodiscard]] std::optional<double> unit_ms(const space::LayerSpec& spec) const;
  /// Sum over the plan's units, not corrected; nullopt if a unit is missing (appended to
  /// `missing`).
  [[nodiscard]] std::optional<double> sum_ms(
      const space::NetworkPlan& plan, std::vector<space::LayerSpec>* missing = nullptr) const;
  /// The corrected sum [ms]; nullopt if a unit is missing (added once to `missing`).
  [[nodiscard]] std::optional<double> estimate_ms(
      const space::NetworkPlan& plan, std::vector<space::LayerSpec>* missing = nullptr) const;

  /// The estimate of every arch of a space as gene-indexed tables, corrected. `missing()` of the
  /// result lists the units without a number; archs that use one evaluate to NaN.
  /// @throws StateError if the table has no unit of the space at all: it is of another one.
  [[nodiscard]] space::AdditiveCost compile(const space::SearchSpace& space,
                                            const space::TaskIo& io) const;

  /// Stable hash of every unit's time and of the correction: what later stages consume.
  [[nodiscard]] std::uint64_t hash() const;

 private:
  std::map<space::LayerSpec, double> median_ms_;
  Correction correction_;
  std::optional<KernelRegressor> regressor_;
};

}  // namespace omnifit::latency
