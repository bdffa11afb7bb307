#include "latency_lut/detail/stretches.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace omnifit::latency::detail {
namespace {

MeasurementResult only_result(const std::vector<TimerResult>& results) {
  if (results.size() != 1) {
    return MeasurementFailure{
        fmt::format("the timer returned {} results for one request", results.size())};
  }
  return summarise(results.front());
}

}  // namespace

MeasurementResult time_unit(LayerTimer& timer, const space::LayerSpec& spec,
                            const Protocol& protocol) {
  return only_result(timer.time_units({&spec, 1}, protocol, [](std::size_t) {}));
}

MeasurementResult time_network(LayerTimer& timer, const space::NetworkPlan& plan,
                               const Protocol& protocol) {
  return only_result(timer.time_networks({&plan, 1}, protocol, [](std::size_t) {}));
}

double Sentinel::drift() {
  const MeasurementResult result = time_unit(timer_, spec_, protocol_);
  const auto* measured = std::get_if<Measurement>(&result);
  if (measured == nullptr) return std::numeric_limits<double>::infinity();
  return std::abs(measured->median_ms / reference_ms_ - 1.0);
}

void run_stretches(std::span<const Task> tasks, Sentinel& sentinel, const ProfileConfig& config,
                   core::ProgressSink& progress, StretchCounts& counts) {
  if (tasks.empty()) return;
  core::check_interrupt();
  double before = sentinel.drift();
  const auto stretch_size = static_cast<std::size_t>(config.sentinel_every);
  for (std::size_t start = 0; start < tasks.size(); start += stretch_size) {
    const auto stretch = tasks.subspan(start, std::min(stretch_size, tasks.size() - start));
    double drift = 0.0;
    for (int attempt = 1;; ++attempt) {
      for (const Task& task : stretch) {
        core::check_interrupt();
        task.store(task.run());
        if (attempt == 1) progress.advance(1, "");
      }
      const double after = sentinel.drift();
      drift = std::max(before, after);
      before = after;
      if (drift <= config.max_drift_ratio || attempt == kMaxAttempts ||
          counts.repeated >= config.max_repeated_stretches) {
        break;
      }
      ++counts.repeated;
    }
    counts.max_drift_ratio = std::max(counts.max_drift_ratio, drift);
    if (drift > config.max_drift_ratio) ++counts.drifting;
  }
}

}  // namespace omnifit::latency::detail
