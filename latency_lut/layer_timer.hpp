#pragma once

#include "space/plan.hpp"

#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace omnifit::latency {

/// How samples are taken; stored with every row (see docs/project_file.md).
struct Protocol {
  int warmup_runs = 5;         ///< untimed runs before the samples
  int min_samples = 20;        ///< timed samples at least
  int max_samples = 400;       ///< and at most
  double min_sample_ms = 0.2;  ///< a sample repeats the unit until it lasts this long
  double target_rel_ci =
      0.02;                 ///< stop once the 95 % confidence interval of the median is this narrow
  double max_unit_s = 0.3;  ///< time limit of one unit
  double quiet_ratio = 0.05;  ///< how much slower than usual a pulse (see Pulse) may be; 0: none is
                              ///< taken
  double near_ratio = 0.025;  ///< how much slower than the fastest ones a sample may be where
                              ///< pulses are taken; 0: any
  int batch_size = 1;
  friend bool operator==(const Protocol&, const Protocol&) = default;
};

/// Raw samples of one unit or network, milliseconds per run.
struct Samples {
  std::vector<double> run_ms;
  bool disturbed = false;  ///< the timer knows that something else was running meanwhile
  /// What the reference network took around each sample; empty where it was not run.
  std::vector<double> reference_ms = {};
};
/// A unit that could not be measured: stored with its text, never a sentinel number.
struct MeasurementFailure {
  std::string reason;
};
using TimerResult = std::variant<Samples, MeasurementFailure>;

/// A unit as a network of its own: what timers run.
space::NetworkPlan unit_plan(const space::LayerSpec& spec);
/// Whether a plan is run in turns with a reference network.
bool takes_turns(const space::NetworkPlan& plan);

/// What times networks, or parts of them, on a device. Calls never overlap: one owner of the cores.
class LayerTimer {
 public:
  /// Gets the result of `plans[index]`, as soon as it is there.
  using OnResult = std::function<void(std::size_t index, const TimerResult& result)>;

  virtual ~LayerTimer() = default;
  /// Times a batch with random weights, batch norm folded; calls `on_result` once for every index,
  /// in any order. Results that were handed over stay valid if it throws.
  ///
  /// With a `reference` every plan of more than one unit, a whole network, is run in turns with it:
  /// what disturbs the machine makes both slower, and their ratio hardly changes. A timer that
  /// cannot do that leaves Samples::reference_ms empty.
  /// @throws EnvironmentError if the device is gone or its runner does not work; Interrupted
  /// between two plans; whatever `on_result` throws.
  virtual void time(std::span<const space::NetworkPlan> plans, const Protocol& protocol,
                    const space::NetworkPlan* reference, const OnResult& on_result) = 0;
  /// Runtime, version, CPU model, flags, threads: a JSON object that identifies the device. Equal
  /// every time. @throws EnvironmentError if the device does not answer.
  [[nodiscard]] virtual std::string describe() = 0;
};

/// One result alone. @throws as LayerTimer::time
TimerResult time_one(LayerTimer& timer, const space::NetworkPlan& plan, const Protocol& protocol,
                     const space::NetworkPlan* reference = nullptr);

}  // namespace omnifit::latency
