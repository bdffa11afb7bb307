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
  double max_unit_s = 1.0;  ///< time limit of one unit
  int batch_size = 1;
  friend bool operator==(const Protocol&, const Protocol&) = default;
};

/// Raw samples of one unit or network, milliseconds per run.
struct Samples {
  std::vector<double> run_ms;
};
/// A unit that could not be measured: stored with its text, never a sentinel number.
struct MeasurementFailure {
  std::string reason;
};
using TimerResult = std::variant<Samples, MeasurementFailure>;

/// What times things on a device. Calls never overlap: one owner of the cores.
class LayerTimer {
 public:
  virtual ~LayerTimer() = default;
  /// Times a batch of units, one result per spec, in order. `on_done(i)` after each.
  virtual std::vector<TimerResult> time_units(std::span<const space::LayerSpec> specs,
                                              const Protocol& protocol,
                                              const std::function<void(std::size_t)>& on_done) = 0;
  /// Times whole networks (random weights, batch norm folded), one result per plan, in order.
  virtual std::vector<TimerResult> time_networks(
      std::span<const space::NetworkPlan> plans, const Protocol& protocol,
      const std::function<void(std::size_t)>& on_done) = 0;
  /// Runtime, version, CPU model, flags, threads: a JSON object that identifies the device.
  [[nodiscard]] virtual std::string describe() const = 0;
};

}  // namespace omnifit::latency
