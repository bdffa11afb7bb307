#pragma once

#include "latency_lut/correction.hpp"
#include "latency_lut/kernel_regressor.hpp"
#include "latency_lut/latency_store.hpp"
#include "space/additive_cost.hpp"
#include "space/plan.hpp"
#include "store/database.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace omnifit::latency {

/// Median latency of units on one device under one protocol, and the correction to whole networks.
/// Units that were not measured may have an estimate instead (fill_gaps); what is estimated from it
/// says so. An arch with a unit that has neither has no estimate. Immutable apart from
/// set_correction, set_estimates and fill_gaps; reading is thread-safe.
class LatencyTable {
 public:
  LatencyTable() = default;
  /// @throws std::invalid_argument if a time is not finite and positive.
  explicit LatencyTable(std::map<space::LayerSpec, double> median_ms, Correction correction = {});

  /// The measured rows of a device, without correction. Failed units are absent.
  /// @throws DataError if a row cannot be read.
  static LatencyTable load(const store::Database& db, std::int64_t device_id,
                           const std::string& protocol_hash);
  /// The table of a stored model: its device's rows, the estimates of the units that had none when
  /// it was fitted, and its correction. @throws DataError if a row cannot be read.
  static LatencyTable of_model(const store::Database& db, const LatencyModelRow& model);

  void set_correction(const Correction& correction) { correction_ = correction; }
  [[nodiscard]] const Correction& correction() const { return correction_; }
  [[nodiscard]] std::size_t size() const { return median_ms_.size(); }

  /// Fits a kernel regressor on the measured units and notes its estimates of those of `units` that
  /// were not measured, in the place of all earlier ones. Nothing is fitted if all were.
  /// @throws StateError with fewer than KernelRegressor::kMinUnits measured units.
  void fill_gaps(std::span<const space::LayerSpec> units);
  /// Estimates that stand in the place of all earlier ones; a measured unit's own time counts.
  void set_estimates(EstimatedUnits estimates);
  [[nodiscard]] const EstimatedUnits& estimates() const { return estimates_; }

  /// Where a unit's number comes from.
  struct UnitEstimate {
    LatencyEstimate latency;
    bool measured = true;  ///< false: estimated from other units
  };
  [[nodiscard]] std::optional<UnitEstimate> unit(const space::LayerSpec& spec) const;
  /// A network's corrected sum.
  struct NetworkEstimate {
    /// The deviation is that of the units which were not measured: their sum, times what whole
    /// networks showed of it (Correction::deviation_scale).
    LatencyEstimate latency;
    int num_estimated = 0;  ///< units that were not measured
  };
  /// nullopt if a unit has no number (added once to `missing`).
  [[nodiscard]] std::optional<NetworkEstimate> estimate(
      const space::NetworkPlan& plan, std::vector<space::LayerSpec>* missing = nullptr) const;

  /// Time of a unit, measured or estimated.
  [[nodiscard]] std::optional<double> unit_ms(const space::LayerSpec& spec) const;
  /// Over the plan's units, not corrected; nullopt if a unit is missing (added once to `missing`).
  [[nodiscard]] std::optional<NetworkSum> sum(
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
  EstimatedUnits estimates_;
};

}  // namespace omnifit::latency
