#include "latency_lut/detail/stretches.hpp"

#include "core/interrupt.hpp"

#include <algorithm>
#include <limits>

namespace omnifit::latency::detail {

double Sentinel::slowdown(const TimerResult& timing) {
  const MeasurementResult result = summarise(timing);
  const auto* measured = std::get_if<Measurement>(&result);
  if (measured == nullptr) return std::numeric_limits<double>::infinity();
  if (measured->timings.back().disturbed) return 0.0;
  const double time_ms = measured->median_ms;
  ascending_ms_.insert(std::ranges::upper_bound(ascending_ms_, time_ms), time_ms);
  constexpr double kUsual = 0.25;
  return time_ms / quantile(ascending_ms_, kUsual) - 1.0;
}

void Stretches::run(std::span<const Task> tasks, const std::function<void()>& advance) {
  const auto size = static_cast<std::size_t>(config_.sentinel_every);
  for (std::size_t start = 0; start < tasks.size(); start += size) {
    core::check_interrupt();
    run_one(tasks.subspan(start, std::min(size, tasks.size() - start)), advance);
  }
}

void Stretches::run_one(std::span<const Task> tasks, const std::function<void()>& advance) {
  std::vector<space::NetworkPlan> plans{sentinel_.plan()};
  for (const Task& task : tasks) plans.push_back(task.plan);
  plans.push_back(sentinel_.plan());
  double slowdown = 0.0;
  const auto on_result = [&](std::size_t index, const TimerResult& result) {
    if (index == 0 || index + 1 == plans.size()) {
      slowdown = std::max(slowdown, sentinel_.slowdown(result));
      return;
    }
    tasks[index - 1].store(summarise(result));
    advance();
    core::check_interrupt();
  };
  timer_.time(plans, config_.protocol, reference_, on_result);
  ++counts_.total;
  counts_.max_slowdown_ratio = std::max(counts_.max_slowdown_ratio, slowdown);
  if (slowdown > config_.max_drift_ratio) {
    ++counts_.disturbed;
    return;
  }
  for (const Task& task : tasks) task.settle();
}

}  // namespace omnifit::latency::detail
