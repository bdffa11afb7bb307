#include "latency_lut/layer_timer.hpp"

#include <optional>

namespace omnifit::latency {

space::NetworkPlan unit_plan(const space::LayerSpec& spec) {
  const space::FeatureShape in = space::input_shape(spec);
  space::NetworkPlan plan;
  const auto* linear = std::get_if<space::LinearSpec>(&spec);
  plan.io = {in.channels, linear != nullptr ? linear->out_features : 0};
  plan.resolution_px = in.px;
  plan.units.push_back({0, spec});
  return plan;
}

bool takes_turns(const space::NetworkPlan& plan) { return plan.units.size() > 1; }

TimerResult time_one(LayerTimer& timer, const space::NetworkPlan& plan, const Protocol& protocol,
                     const space::NetworkPlan* reference) {
  std::optional<TimerResult> result;
  timer.time({&plan, 1}, protocol, reference,
             [&](std::size_t, const TimerResult& timed) { result = timed; });
  if (!result) return MeasurementFailure{"the timer returned no result"};
  return *result;
}

}  // namespace omnifit::latency
