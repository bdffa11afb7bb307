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
  LatencyTable table;     ///< with its correction
  EstimateCheck check;    ///< of the estimates, on the check networks
  int num_units = 0;      ///< distinct units of the space
  int num_estimated = 0;  ///< of them, neither measured nor failed: estimated from the others
  int num_measured = 0;   ///< units and networks of which nothing was stored before this call
  int num_networks = 0;   ///< whole networks the model stands on, check networks included
  std::vector<std::string> failures;  ///< "unit: reason", stored as failures
  int num_rounds = 0;                 ///< timings of what needed most
  int num_unsettled = 0;              ///< units and networks whose two best timings never agreed
  int num_stretches = 0;              ///< runs of timings between two of the sentinel, by this call
  int num_disturbed_stretches = 0;    ///< of them, with a sentinel that was too slow
  double max_slowdown_ratio = 0.0;    ///< of the sentinel, the largest met
};

/// Measures the distinct units of a space and some whole networks, and fits the correction.
///
/// Of `share` < 1 only that part of the units is measured, those that tell most about the others
/// (choose_units; KernelRegressor::kMinUnits at least), and a kernel regressor estimates the rest
/// but units that failed. A larger share later measures only what is missing, because the units of
/// a share are among those of every larger one.
///
/// Made for machines that are not quiet. Everything is timed in rounds, each in a random order of
/// its own, so that a slow phase hits no part of the space in particular; see Measurement for what
/// counts. A sentinel unit is timed before and after every stretch of `sentinel_every`
/// timings: where it is slower than usual, they count as disturbed. After the first round those of
/// units and of networks alternate, so that both meet the same machine. Networks are timed in turns
/// with a reference network, if the timer can: the one in the middle of every choice of the space.
/// At the end they are restated for what it usually took, the fastest quarter of its timings.
///
/// Every timing is stored in a transaction of its own and what is stored is not measured again in
/// the same round (failures never), so a profile can be stopped anywhere and goes on; between two
/// timings it is at a safe point. Whole networks: archs spread over the range of MACs, the smallest
/// and largest among them, fit the correction; random archs judge it. Spaces with few archs have
/// fewer of both. The choice depends on the seed and on which units failed alone, so that devices
/// of one job measure the same networks.
/// @throws EnvironmentError if no unit could be measured, or too few to estimate the others from,
/// no network for the correction, or the device is gone; Interrupted at a safe point.
ProfileReport profile(const space::SearchSpace& space, const space::TaskIo& io, LayerTimer& timer,
                      const ProfileConfig& config, std::uint64_t seed, const ProfileTarget& target,
                      core::ProgressSink& progress);

}  // namespace omnifit::latency
