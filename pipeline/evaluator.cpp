#include "pipeline/evaluator.hpp"

#include "core/error.hpp"
#include "core/node.hpp"
#include "core/threads.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace omnifit::pipeline {
namespace {

/// Archs a worker takes at a time; fixed, so that predictions do not depend on the thread count.
constexpr std::size_t kChunk = 64;

}  // namespace

PredictedEvaluator::PredictedEvaluator(const space::SearchSpace& space, space::TaskIo io,
                                       const predictors::AccuracyPredictor* predictor,
                                       std::vector<DeviceLatency> latencies,
                                       std::vector<Quantity> quantities, int threads)
    : space_(space),
      io_(io),
      predictor_(predictor),
      threads_(threads),
      latencies_(std::move(latencies)),
      quantities_(std::move(quantities)) {
  for (const Quantity& quantity : quantities_) {
    // Refuses the latency of an unknown device.
    if (quantity.cost == Cost::kLatency) static_cast<void>(latency_of(quantity.device));
    if (!quantity.column.empty()) {
      throw ConfigError(
          fmt::format("{}: only a tabular space has tables; this one has layers", quantity.key()));
    }
    metrics_.push_back({quantity.metric(), quantity.is_top1()});
  }
  for (const Cost cost : all_costs()) {
    const space::PlanCost* plan_cost = space::find_plan_cost(cost_metric(cost));
    if (plan_cost == nullptr || plan_cost->of_unit == nullptr) continue;
    exact_.emplace(
        cost, space::AdditiveCost::compile(space, io, [plan_cost](const space::LayerSpec& spec) {
          return std::optional(static_cast<double>(plan_cost->of_unit(spec)));
        }));
  }
}

const DeviceLatency& PredictedEvaluator::latency_of(const std::string& device) const {
  if (device.empty() && !latencies_.empty()) return latencies_.front();
  const auto found = std::ranges::find(latencies_, device, &DeviceLatency::device);
  if (found != latencies_.end()) return *found;
  if (latencies_.empty()) {
    throw ConfigError(
        "a latency is bounded or an objective, but the job has none: add profile to 'stages', or "
        "import a table (omnifit device import) and give its device's name");
  }
  std::vector<std::string> names;
  for (const DeviceLatency& known : latencies_) names.push_back(known.device);
  const std::string guess = core::did_you_mean(device, names);
  throw ConfigError(fmt::format("there is no latency of a device '{}'{} (devices: {})", device,
                                guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess),
                                fmt::join(names, ", ")));
}

const space::AdditiveCost* PredictedEvaluator::additive(const Quantity& quantity) const {
  if (!quantity.cost) return nullptr;
  if (*quantity.cost == Cost::kLatency) return &latency_of(quantity.device).estimate_ms;
  const auto found = exact_.find(*quantity.cost);
  return found == exact_.end() ? nullptr : &found->second;
}

Eigen::VectorXd PredictedEvaluator::predict(std::span<const space::Arch> archs) const {
  OMNIFIT_CHECK(predictor_ != nullptr, "an accuracy is asked for without a predictor");
  return predictor_->predict_mean(archs);
}

double PredictedEvaluator::value(const Quantity& quantity, const space::Arch& arch) const {
  if (!quantity.cost) return predict(std::array{arch})(0);
  if (const space::AdditiveCost* sum = additive(quantity)) return (*sum)(arch);
  const space::PlanCost* plan_cost = space::find_plan_cost(cost_metric(*quantity.cost));
  return static_cast<double>(plan_cost->of_plan(space::lower(space_, arch, io_)));
}

std::vector<space::LayerSpec> PredictedEvaluator::unmeasured_units() const {
  std::vector<space::LayerSpec> units;
  for (const DeviceLatency& latency : latencies_) {
    const auto& missing = latency.estimate_ms.missing();
    units.insert(units.end(), missing.begin(), missing.end());
  }
  return units;
}

std::vector<search::AdditiveMetric> PredictedEvaluator::additive_metrics() const {
  std::vector<search::AdditiveMetric> found;
  for (std::size_t q = 0; q < quantities_.size(); ++q) {
    if (const space::AdditiveCost* cost = additive(quantities_[q])) {
      found.push_back({.column = q, .cost = cost});
    }
  }
  return found;
}

search::MetricTable PredictedEvaluator::evaluate(std::span<const space::Arch> archs) {
  search::MetricTable table(archs.size(), metrics_.size());
  const bool with_top1 = std::ranges::any_of(quantities_, &Quantity::is_top1);
  const std::size_t chunks = (archs.size() + kChunk - 1) / kChunk;
  core::parallel_for(static_cast<std::int64_t>(chunks), threads_, [&](std::int64_t chunk) {
    const std::size_t first = static_cast<std::size_t>(chunk) * kChunk;
    const std::size_t count = std::min(kChunk, archs.size() - first);
    Eigen::VectorXd top1;
    if (with_top1) top1 = predict(archs.subspan(first, count));
    for (std::size_t i = 0; i < count; ++i) {
      const space::Arch& arch = archs[first + i];
      const std::span<double> row = table.row(first + i);
      for (std::size_t q = 0; q < quantities_.size(); ++q) {
        row[q] =
            quantities_[q].cost ? value(quantities_[q], arch) : top1(static_cast<Eigen::Index>(i));
      }
    }
  });
  return table;
}

}  // namespace omnifit::pipeline
