#include "pipeline/evaluator.hpp"

#include "core/threads.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"

#include <algorithm>
#include <array>

namespace omnifit::pipeline {
namespace {

/// Archs a worker takes at a time; fixed, so that predictions do not depend on the thread count.
constexpr std::size_t kChunk = 64;

/// Weight bytes of a unit with batch norm folded.
double unit_model_bytes(const space::LayerSpec& spec) {
  return static_cast<double>(
      space::model_bytes(space::NetworkPlan{.io = {}, .resolution_px = 0, .units = {{0, spec}}}));
}

}  // namespace

PredictedEvaluator::PredictedEvaluator(const space::SearchSpace& space, space::TaskIo io,
                                       const predictors::AccuracyPredictor& predictor,
                                       const latency::LatencyTable& latency, int threads)
    : space_(space), io_(io), predictor_(predictor), threads_(threads) {
  metrics_.push_back({"top1", true});
  for (const Cost cost : all_costs()) metrics_.push_back({cost_metric(cost), false});
  const auto exact = [&](Cost cost, double (*of)(const space::LayerSpec&)) {
    additive_.emplace(cost,
                      space::AdditiveCost::compile(space, io, [of](const space::LayerSpec& spec) {
                        return std::optional<double>(of(spec));
                      }));
  };
  additive_.emplace(Cost::kLatency, latency.compile(space, io));
  exact(Cost::kMacs,
        [](const space::LayerSpec& spec) { return static_cast<double>(space::macs(spec)); });
  exact(Cost::kParams, [](const space::LayerSpec& spec) {
    return static_cast<double>(space::params_count(spec));
  });
  exact(Cost::kModelSize, unit_model_bytes);
}

double PredictedEvaluator::cost(Cost cost, const space::Arch& arch) const {
  const auto additive = additive_.find(cost);
  if (additive != additive_.end()) return additive->second(arch);
  return static_cast<double>(space::peak_activation_bytes(space::lower(space_, arch, io_)));
}

double PredictedEvaluator::predicted_top1(const space::Arch& arch) const {
  return predictor_.predict(std::array{arch}).mean(0);
}

space::AdditiveCost::Extreme PredictedEvaluator::cheapest(Cost cost) const {
  const auto additive = additive_.find(cost);
  if (additive != additive_.end()) return additive->second.minimum(space_);
  const space::Arch arch = space::smallest(space_);
  return {this->cost(cost, arch), arch};
}

const std::vector<space::LayerSpec>& PredictedEvaluator::unmeasured_units() const {
  return additive_.at(Cost::kLatency).missing();
}

search::MetricTable PredictedEvaluator::evaluate(std::span<const space::Arch> archs) {
  search::MetricTable table(archs.size(), metrics_.size());
  const std::size_t chunks = (archs.size() + kChunk - 1) / kChunk;
  core::parallel_for(static_cast<std::int64_t>(chunks), threads_, [&](std::int64_t chunk) {
    const std::size_t first = static_cast<std::size_t>(chunk) * kChunk;
    const std::size_t count = std::min(kChunk, archs.size() - first);
    const learn::Prediction prediction = predictor_.predict(archs.subspan(first, count));
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<double> row = table.row(first + i);
      std::size_t column = 0;
      row[column++] = prediction.mean(static_cast<Eigen::Index>(i));
      for (const Cost of : all_costs()) row[column++] = cost(of, archs[first + i]);
    }
  });
  return table;
}

}  // namespace omnifit::pipeline
