#pragma once

#include "latency_lut/correction.hpp"
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
/// Never extrapolates: an arch with a unit that nobody measured has no estimate. Immutable apart
/// from set_correction; reading is thread-safe.
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
};

}  // namespace omnifit::latency
