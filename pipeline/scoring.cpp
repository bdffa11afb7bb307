#include "pipeline/scoring.hpp"

#include "pipeline/imported_latency.hpp"
#include "pipeline/joint_limits.hpp"
#include "pipeline/latency_source.hpp"
#include "pipeline/measured_evaluator.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <span>
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

/// What every one of the problems keeps of a metric: the loosest of its limits, on a side where all
/// of them have one.
search::Bound loosest(const std::string& metric, const std::vector<search::Problem>& problems) {
  search::Bound found{metric, INFINITY, -INFINITY};
  for (const search::Problem& problem : problems) {
    const auto bound = std::ranges::find(problem.bounds, metric, &search::Bound::metric);
    const bool has_min = bound != problem.bounds.end() && bound->min;
    const bool has_max = bound != problem.bounds.end() && bound->max;
    found.min =
        has_min && found.min ? std::optional(std::min(*found.min, *bound->min)) : std::nullopt;
    found.max =
        has_max && found.max ? std::optional(std::max(*found.max, *bound->max)) : std::nullopt;
  }
  return found;
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

JobScoring::JobScoring(RunContext& context, std::optional<predictors::AccuracyPredictor> predictor)
    : space_(context.space()), predictor_(std::move(predictor)) {
  for (const std::string& name : context.config().search.objectives) {
    objectives_.push_back(parse_metric(name));
  }
  if (context.config().tables) {
    use_tables(context);
  } else {
    use_estimates(context);
  }
  memory_ = std::make_unique<search::MemoEvaluator>(all_ ? *all_ : *estimates_);
}

void JobScoring::use_tables(RunContext& context) {
  tables_.emplace(*context.tables(), context.config().tables->top1, context.config().device.name);
  const bool with_latency = tables_->has({Cost::kLatency, {}, {}});
  const std::vector<Quantity> quantities = context.config().search.quantities(with_latency);
  all_ = std::make_unique<search::TabularEvaluator>(tables_->evaluator(quantities));
  // Top-1 comes first.
  const auto costs = std::span(quantities).subspan(1);
  measured_ = std::make_unique<search::TabularEvaluator>(
      tables_->evaluator(std::span(quantities).first(1)));
  looked_up_ = std::make_unique<search::TabularEvaluator>(tables_->evaluator(costs));
  if (!costs.empty()) exact_ = looked_up_.get();
}

void JobScoring::use_estimates(RunContext& context) {
  std::vector<DeviceLatency> latencies = device_latencies(context, imported_devices(context));
  std::vector<Quantity> quantities = context.config().search.quantities(!latencies.empty());
  if (!predictor_) std::erase_if(quantities, std::mem_fn(&Quantity::is_top1));
  const bool any = !quantities.empty();
  estimates_ = std::make_unique<PredictedEvaluator>(
      context.space(), context.io(), predictor_ ? &*predictor_ : nullptr, std::move(latencies),
      std::move(quantities), context.outer_threads());
  if (predictor_) return;
  if (any) exact_ = estimates_.get();
  measured_ = std::make_unique<MeasuredEvaluator>(context);
  all_ = std::make_unique<MeasuredEvaluator>(context, exact_);
}

search::SearchRunRow::Top1Source JobScoring::top1_source() const {
  using enum search::SearchRunRow::Top1Source;
  if (tables_) return kTable;
  return predictor_ ? kPredicted : kMeasured;
}

std::optional<double> JobScoring::predicted_top1(const space::Arch& arch) const {
  if (!predictor_) return std::nullopt;
  return predictor_->predict_mean(std::array{arch})(0);
}

double JobScoring::latency_ms(const space::Arch& arch) const {
  return estimates_->value({Cost::kLatency, {}, {}}, arch);
}

std::vector<space::LayerSpec> JobScoring::unmeasured_units() const {
  return estimates_ ? estimates_->unmeasured_units() : std::vector<space::LayerSpec>{};
}

std::vector<Limit> JobScoring::limits(const BudgetConfig& budget) const {
  std::vector<Limit> limits;
  for (const Bound& bound : budget.bounds()) {
    double value = bound.amount;
    if (bound.relative && tables_) {
      value = bound.resolve(tables_->extreme(bound.quantity, false).cost,
                            tables_->extreme(bound.quantity, true).cost);
    } else if (bound.relative) {
      value = bound.resolve(estimates_->value(bound.quantity, space::smallest(space_)),
                            estimates_->value(bound.quantity, space::largest(space_)));
    }
    limits.push_back({bound.quantity, value, bound.at_least});
  }
  return limits;
}

search::Problem JobScoring::joint_problem(const std::vector<std::vector<Limit>>& budgets) const {
  search::Problem joint;
  for (const Quantity& quantity : objectives_) {
    joint.objectives.push_back({quantity.metric(), std::nullopt});
  }
  std::vector<search::Problem> problems;
  for (const std::vector<Limit>& limits : budgets) problems.push_back(problem(limits));
  for (const search::Problem& one : problems) {
    for (const search::Bound& bound : one.bounds) {
      const bool known = std::ranges::find(joint.objectives, bound.metric,
                                           &search::Objective::metric) != joint.objectives.end();
      if (!known) joint.objectives.push_back({bound.metric, !bound.max.has_value()});
      if (std::ranges::find(joint.bounds, bound.metric, &search::Bound::metric) ==
          joint.bounds.end()) {
        joint.bounds.push_back(loosest(bound.metric, problems));
      }
    }
  }
  std::erase_if(joint.bounds, [](const search::Bound& bound) { return !bound.min && !bound.max; });
  return joint;
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
  if (tables_) return tables_->extreme(limit.quantity, limit.at_least);
  if (const space::AdditiveCost* sum = additive(limit.quantity)) {
    return limit.at_least ? sum->maximum(space_) : sum->minimum(space_);
  }
  const space::Arch arch = limit.at_least ? space::largest(space_) : space::smallest(space_);
  // What an accuracy that is measured could reach is known when it is.
  const bool known = limit.quantity.cost || predictor_;
  return {known ? estimates_->value(limit.quantity, arch) : std::nan(""), arch};
}

std::vector<space::Arch> JobScoring::seeds(const std::vector<Limit>& limits) const {
  std::vector<space::Arch> seeds;
  const auto sum_of = [this](const Quantity& quantity) { return additive(quantity); };
  if (const auto witness = joint_witness(space_, limits, sum_of)) seeds.push_back(*witness);
  for (const Limit& limit : limits) {
    // The best accuracy of a table is what a search there has to find.
    if (tables_ && !limit.quantity.cost) continue;
    seeds.push_back(best_reachable(limit).arch);
  }
  return seeds;
}

std::string JobScoring::limits_text(const std::vector<Limit>& limits) {
  std::string text;
  for (const Limit& limit : limits) text += (text.empty() ? "" : ", ") + limit.text();
  return text;
}

}  // namespace omnifit::pipeline
