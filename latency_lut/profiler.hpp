#pragma once

#include "core/progress.hpp"
#include "latency_lut/latency_store.hpp"
#include "latency_lut/latency_table.hpp"
#include "latency_lut/layer_timer.hpp"
#include "latency_lut/profile_config.hpp"
#include "space/search_space.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace omnifit::latency {

/// Where a profile stores what it measures.
struct ProfileTarget {
  store::Database& db;
  std::int64_t stage_run_id = 0;
  std::int64_t device_id = 0;
  std::int64_t space_id = 0;
  /// Row id of an arch; called inside a write transaction.
  std::function<std::int64_t(SQLite::Database&, const space::Arch&)> arch_id_of;
};

/// What a profile did and what stands now.
struct ProfileReport {
  LatencyTable table;    ///< with its correction
  EstimateCheck check;   ///< of the estimates, on the check networks
  int num_units = 0;     ///< distinct units of the space
  int num_measured = 0;  ///< of them by this call; the others were stored already
  int num_networks = 0;  ///< whole networks the model stands on, check networks included
  std::vector<std::string> failures;  ///< "unit: reason", stored as failures
  int num_repeated_stretches = 0;     ///< measured again because the sentinel drifted
  int num_drifting_stretches = 0;     ///< kept although it still drifted: the device is not quiet
  double max_drift_ratio = 0.0;       ///< largest drift of the sentinel among what was kept
};

/// Measures every distinct unit of a space once, then whole networks, and fits the correction.
///
/// Units are timed in random order, so that a slow phase of the machine hits no part of the space
/// in particular. A sentinel unit is timed again between stretches of `sentinel_every` units: a
/// stretch during which it drifted is measured again, a bounded number of times, then kept and
/// counted. Every row is stored in a transaction of its own and rows already stored are not
/// measured again (failures neither), so a profile can be stopped anywhere and goes on; between two
/// units it is at a safe point. Whole networks: random archs spread over the range of costs, the
/// smallest and largest among them, fit the correction; other random archs judge it. Spaces with
/// few archs have fewer of both.
/// @throws EnvironmentError if no unit could be measured, or no network for the correction;
/// Interrupted at a safe point.
ProfileReport profile(const space::SearchSpace& space, const space::TaskIo& io, LayerTimer& timer,
                      const ProfileConfig& config, std::uint64_t seed, const ProfileTarget& target,
                      core::ProgressSink& progress);

}  // namespace omnifit::latency
