#pragma once

#include "core/progress.hpp"
#include "latency_lut/latency_store.hpp"
#include "latency_lut/layer_timer.hpp"
#include "latency_lut/profile_config.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>

namespace omnifit::latency::detail {

/// Times one unit. Batches of one: between two of them a profile can stop.
MeasurementResult time_unit(LayerTimer& timer, const space::LayerSpec& spec,
                            const Protocol& protocol);
MeasurementResult time_network(LayerTimer& timer, const space::NetworkPlan& plan,
                               const Protocol& protocol);

/// A unit that is timed again and again to see whether the machine still runs at the same speed.
class Sentinel {
 public:
  /// `reference_ms`: what everything is compared with.
  Sentinel(LayerTimer& timer, const Protocol& protocol, const space::LayerSpec& spec,
           double reference_ms)
      : timer_(timer), protocol_(protocol), spec_(spec), reference_ms_(reference_ms) {}

  /// Times the unit; |time / reference - 1|, infinite if it cannot be timed any more.
  double drift();

 private:
  LayerTimer& timer_;
  const Protocol& protocol_;
  space::LayerSpec spec_;
  double reference_ms_;
};

/// Something to time and where its result goes. `run` may be called again if the machine drifted.
struct Task {
  std::function<MeasurementResult()> run;
  std::function<void(const MeasurementResult&)> store;
};

/// What happened to the stretches of a profile.
struct StretchCounts {
  int repeated = 0;
  int drifting = 0;
  double max_drift_ratio = 0.0;
};

/// Runs the tasks in stretches of `sentinel_every`, the sentinel timed before and after each. A
/// stretch with too much drift is run again: at most kMaxAttempts times, and while
/// `counts.repeated` is below `max_repeated_stretches`. Advances the progress by one per finished
/// task.
/// @throws Interrupted between two tasks.
inline constexpr int kMaxAttempts = 3;
void run_stretches(std::span<const Task> tasks, Sentinel& sentinel, const ProfileConfig& config,
                   core::ProgressSink& progress, StretchCounts& counts);

}  // namespace omnifit::latency::detail
