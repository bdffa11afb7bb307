#include "pipeline/scoring.hpp"

#include "pipeline/imported_latency.hpp"
#include "pipeline/latency_source.hpp"

#include <algorithm>
#include <utility>

namespace omnifit::pipeline {
namespace {

/// Of the devices this job profiles, the main one first, then of those that only the project file
/// knows. Without a profile the main device is one of the latter, if it is there.
std::vector<DeviceLatency> device_latencies(RunContext& context,
                                            const std::vector<std::string>& imported) {
  std::vector<DeviceLatency> latencies;
  if (context.results.count(Stage::kProfile) > 0) {
    for (const DeviceTable& device : latency_tables(context)) {
      latencies.push_back({device.name, device.table.compile(context.space(), context.io())});
    }
  }
  for (const std::string& name : imported) {
    if (const auto latency = imported_latency(context, name)) {
      latencies.push_back({name, latency->estimate_ms});
    }
  }
  return latencies;
}

}  // namespace

std::vector<std::string> imported_devices(RunContext& context) {
  std::vector<std::string> own;
  std::vector<std::string> names;
  if (context.job().has(Stage::kProfile)) {
    for (const DeviceConfig& device : context.config().all_devices()) own.push_back(device.name);
  } else {
    names.push_back(context.config().device.name);
  }
  const auto known = [&](const std::string& name) {
    return std::ranges::find(own, name) != own.end() ||
           std::ranges::find(names, name) != names.end();
  };
  for (const Quantity& quantity : context.config().search.quantities(false)) {
    if (!quantity.device.empty() && !known(quantity.device)) names.push_back(quantity.device);
  }
  return names;
}

JobScoring::JobScoring(RunContext& context, predictors::AccuracyPredictor predictor)
    : space_(context.space()), predictor_(std::move(predictor)) {
  const SearchConfig& config = context.config().search;
  for (const std::string& name : config.objectives) objectives_.push_back(parse_metric(name));
  std::vector<DeviceLatency> latencies = device_latencies(context, imported_devices(context));
  std::vector<Quantity> quantities = config.quantities(!latencies.empty());
  evaluator_ = std::make_unique<PredictedEvaluator>(context.space(), context.io(), predictor_,
                                                    std::move(latencies), std::move(quantities),
                                                    context.outer_threads());
  memory_ = std::make_unique<search::MemoEvaluator>(*evaluator_);
}

std::vector<Limit> JobScoring::limits(const BudgetConfig& budget) const {
  const space::Arch smallest = space::smallest(space_);
  const space::Arch largest = space::largest(space_);
  std::vector<Limit> limits;
  for (const Bound& bound : budget.bounds()) {
    const double value = bound.relative ? bound.resolve(evaluator_->value(bound.quantity, smallest),
                                                        evaluator_->value(bound.quantity, largest))
                                        : bound.amount;
    limits.push_back({bound.quantity, value, bound.at_least});
  }
  return limits;
}

search::Problem JobScoring::problem(const std::vector<Limit>& limits) const {
  search::Problem problem;
  for (const Quantity& quantity : objectives_) {
    problem.objectives.push_back({quantity.metric(), std::nullopt});
  }
  for (const Limit& limit : limits) {
    const std::string metric = limit.quantity.metric();
    auto bound = std::ranges::find(problem.bounds, metric, &search::Bound::metric);
    if (bound == problem.bounds.end()) {
      bound = problem.bounds.insert(bound, {metric, std::nullopt, std::nullopt});
    }
    // Of two limits on one side the tighter one counts.
    if (limit.at_least) {
      bound->min = std::max(bound->min.value_or(limit.value), limit.value);
    } else {
      bound->max = std::min(bound->max.value_or(limit.value), limit.value);
    }
  }
  return problem;
}

space::AdditiveCost::Extreme JobScoring::best_reachable(const Limit& limit) const {
  if (const space::AdditiveCost* sum = evaluator_->additive(limit.quantity)) {
    return limit.at_least ? sum->maximum(space_) : sum->minimum(space_);
  }
  const space::Arch arch = limit.at_least ? space::largest(space_) : space::smallest(space_);
  return {evaluator_->value(limit.quantity, arch), arch};
}

std::vector<space::Arch> JobScoring::seeds(const std::vector<Limit>& limits) const {
  std::vector<space::Arch> seeds;
  for (const Limit& limit : limits) seeds.push_back(best_reachable(limit).arch);
  return seeds;
}

std::string JobScoring::limits_text(const std::vector<Limit>& limits) {
  std::string text;
  for (const Limit& limit : limits) text += (text.empty() ? "" : ", ") + limit.text();
  return text;
}

}  // namespace omnifit::pipeline
