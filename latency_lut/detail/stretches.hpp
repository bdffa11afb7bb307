#pragma once

#include "core/progress.hpp"
#include "latency_lut/latency_store.hpp"
#include "latency_lut/layer_timer.hpp"
#include "latency_lut/profile_config.hpp"

#include <functional>
#include <span>
#include <vector>

namespace omnifit::latency::detail {

/// A unit that is timed again and again to see whether the machine still runs at its full speed.
class Sentinel {
 public:
  /// `first_ms`: what it took when the profile began.
  Sentinel(const space::LayerSpec& spec, double first_ms)
      : plan_(unit_plan(spec)), ascending_ms_{first_ms} {}

  [[nodiscard]] const space::NetworkPlan& plan() const { return plan_; }
  /// How much slower than usual it was in this timing, as a ratio; infinite if it could not be
  /// timed, 0 if the timer knows that it was disturbed: such a timer says so of the others, too.
  /// Usual is the fastest quarter of its timings: the fastest one of all may be a stroke of
  /// luck that no later call of a runner repeats.
  double slowdown(const TimerResult& timing);

 private:
  space::NetworkPlan plan_;
  std::vector<double> ascending_ms_;
};

/// Something to time. `store` gets each timing at once; `settle` is called at the end of a stretch
/// in which the machine was undisturbed.
struct Task {
  space::NetworkPlan plan;
  std::function<void(const MeasurementResult&)> store;
  std::function<void()> settle;
};

/// What happened to the stretches of a profile.
struct StretchCounts {
  int total = 0;
  int disturbed = 0;                ///< the sentinel was too slow before or after
  double max_slowdown_ratio = 0.0;  ///< of the sentinel
};

/// Times tasks in stretches of `sentinel_every`, one call of the timer each, with the sentinel
/// before and after. `advance` is called per finished task.
class Stretches {
 public:
  /// @param reference that networks are run in turns with; may be nullptr
  Stretches(LayerTimer& timer, const ProfileConfig& config, const space::NetworkPlan* reference,
            Sentinel sentinel)
      : timer_(timer), config_(config), reference_(reference), sentinel_(std::move(sentinel)) {}

  /// @throws Interrupted between two tasks; as LayerTimer::time.
  void run(std::span<const Task> tasks, const std::function<void()>& advance);
  [[nodiscard]] const StretchCounts& counts() const { return counts_; }

 private:
  void run_one(std::span<const Task> tasks, const std::function<void()>& advance);

  LayerTimer& timer_;
  const ProfileConfig& config_;
  const space::NetworkPlan* reference_;
  Sentinel sentinel_;
  StretchCounts counts_;
};

}  // namespace omnifit::latency::detail
