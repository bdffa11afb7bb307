#pragma once

#include "core/hash.hpp"
#include "core/rng.hpp"
#include "latency_lut/layer_timer.hpp"
#include "latency_lut/sampling.hpp"
#include "space/costs.hpp"

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace omnifit::test {

struct FakeTimerOptions {
  std::uint64_t seed = 1;
  double noise_ratio = 0.01;   ///< spread of a sample; always upwards, as real disturbances are
  double network_scale = 1.2;  ///< a network takes scale * (sum of its units) + offset
  double network_offset_ms = 0.05;
  int threads = 1;
  std::chrono::microseconds delay{0};  ///< really slept per timed unit or network, for kill tests
  std::set<space::LayerSpec> failing;  ///< units that cannot be measured
  bool networks_fail = false;
  /// Factor on the time of the i-th call (0, 1, …), for drift. Empty: 1.
  std::function<double(int call)> slow_down;
  bool knows_when_slow = false;  ///< says of slowed samples that they are disturbed
  bool takes_turns = false;      ///< runs networks in turns with the reference
};

/// A device made of a formula: the time of a unit follows from its spec alone, with seeded noise
/// that is the same whenever the unit is timed. Nothing is run.
class FakeTimer final : public latency::LayerTimer {
 public:
  explicit FakeTimer(FakeTimerOptions options = {}) : options_(std::move(options)) {}

  /// Time without noise.
  [[nodiscard]] static double true_ms(const space::LayerSpec& spec) {
    const auto out = space::output_shape(spec);
    return 0.002 + 2e-7 * static_cast<double>(space::macs(spec)) +
           1e-7 * static_cast<double>(out.channels) * out.px * out.px;
  }
  [[nodiscard]] double true_ms(const space::NetworkPlan& plan) const {
    double sum_ms = 0.0;
    for (const auto& unit : plan.units) sum_ms += true_ms(unit.spec);
    return options_.network_scale * sum_ms + options_.network_offset_ms;
  }

  void time(std::span<const space::NetworkPlan> plans, const latency::Protocol& protocol,
            const space::NetworkPlan* reference, const OnResult& on_result) override {
    for (std::size_t i = 0; i < plans.size(); ++i) {
      if (!latency::takes_turns(plans[i])) {
        on_result(i, time_unit(plans[i].units.front().spec, protocol));
      } else {
        on_result(i, time_network(plans[i], options_.takes_turns ? reference : nullptr, protocol));
      }
    }
  }

  [[nodiscard]] std::string describe() override {
    return R"({"runtime": "fake", "threads": )" + std::to_string(options_.threads) + "}";
  }

  /// How often each unit was timed, and each network (by its units' texts).
  [[nodiscard]] const std::map<space::LayerSpec, int>& unit_counts() const { return unit_counts_; }
  [[nodiscard]] const std::map<std::string, int>& network_counts() const { return network_counts_; }
  [[nodiscard]] int num_calls() const { return calls_; }

 private:
  latency::TimerResult time_unit(const space::LayerSpec& spec, const latency::Protocol& protocol) {
    ++unit_counts_[spec];
    if (options_.failing.contains(spec)) return latency::MeasurementFailure{"fake failure"};
    return samples(true_ms(spec), space::spec_hash(spec), protocol);
  }

  latency::TimerResult time_network(const space::NetworkPlan& plan,
                                    const space::NetworkPlan* reference,
                                    const latency::Protocol& protocol) {
    std::string key;
    for (const auto& unit : plan.units) key += space::spec_text(unit.spec) + "\n";
    ++network_counts_[key];
    if (options_.networks_fail) return latency::MeasurementFailure{"fake failure"};
    latency::TimerResult result = samples(true_ms(plan), core::stable_hash(key), protocol);
    if (auto* found = std::get_if<latency::Samples>(&result); found != nullptr && reference) {
      const double factor = options_.slow_down ? options_.slow_down(calls_ - 1) : 1.0;
      found->reference_ms.assign(found->run_ms.size(), factor * true_ms(*reference));
    }
    return result;
  }

  latency::TimerResult samples(double time_ms, std::uint64_t key,
                               const latency::Protocol& protocol) {
    if (options_.delay.count() > 0) std::this_thread::sleep_for(options_.delay);
    const double factor = options_.slow_down ? options_.slow_down(calls_) : 1.0;
    ++calls_;
    core::Rng rng = core::Rng::stream(options_.seed, core::Purpose::kTest, {key});
    latency::TimerResult result = latency::take_samples(
        [&](int repeats) {
          const double noise = 1.0 + options_.noise_ratio * rng.uniform();
          return repeats * time_ms * factor * noise;
        },
        protocol);
    auto* samples = std::get_if<latency::Samples>(&result);
    if (samples != nullptr) samples->disturbed = options_.knows_when_slow && factor > 1.0;
    return result;
  }

  FakeTimerOptions options_;
  std::map<space::LayerSpec, int> unit_counts_;
  std::map<std::string, int> network_counts_;
  int calls_ = 0;
};

}  // namespace omnifit::test
