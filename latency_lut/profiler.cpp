#include "latency_lut/profiler.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/rng.hpp"
#include "latency_lut/detail/streams.hpp"
#include "latency_lut/detail/stretches.hpp"
#include "latency_lut/network_choice.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

namespace omnifit::latency {
namespace {

/// A whole network that is part of the profile.
struct Network {
  NetworkPurpose purpose = NetworkPurpose::kCheck;
  space::NetworkPlan plan;
  std::string text;
  std::int64_t arch_id = 0;
  std::optional<MeasurementResult> result;
};

/// One run of `profile`; the functions are its steps, in order.
class Profiler {
 public:
  Profiler(const space::SearchSpace& space, const space::TaskIo& io, LayerTimer& timer,
           const ProfileConfig& config, std::uint64_t seed, const ProfileTarget& target,
           core::ProgressSink& progress)
      : space_(space),
        io_(io),
        timer_(timer),
        config_(config),
        seed_(seed),
        target_(target),
        progress_(progress),
        protocol_hash_(protocol_hash(config.protocol)) {}

  ProfileReport run() {
    units_ = space::distinct_units(space_, io_);
    report_.num_units = static_cast<int>(units_.size());
    load_stored_units();
    measure_units();
    report_.table = table_of_units();
    choose_networks();
    measure_networks();
    fit_and_judge();
    report_.num_repeated_stretches = counts_.repeated;
    report_.num_drifting_stretches = counts_.drifting;
    report_.max_drift_ratio = counts_.max_drift_ratio;
    return std::move(report_);
  }

 private:
  void load_stored_units() {
    std::map<space::LayerSpec, MeasurementResult> all;
    target_.db.read([&](SQLite::Database& sql) {
      for (auto& row : get_layer_latencies(sql, target_.device_id, protocol_hash_)) {
        all.emplace(row.spec, std::move(row.result));
      }
    });
    for (const auto& unit : units_) {
      if (auto node = all.extract(unit)) results_.insert(std::move(node));
    }
  }

  void store_unit(const space::LayerSpec& spec, const MeasurementResult& result) {
    target_.db.write([&](SQLite::Database& sql) {
      put_layer_latency(sql, target_.device_id, config_.protocol, {spec, result});
    });
    if (results_.insert_or_assign(spec, result).second) ++report_.num_measured;
  }

  void measure_units() {
    progress_.begin("profile units", report_.num_units, "units",
                    static_cast<std::int64_t>(results_.size()));
    find_sentinel();
    std::vector<space::LayerSpec> order = units_;
    detail::stream(seed_, detail::Draw::kUnitOrder).shuffle(std::span(order));
    std::vector<detail::Task> tasks;
    for (const space::LayerSpec& unit : order) {
      if (results_.contains(unit)) continue;
      tasks.push_back(
          {[this, unit] { return detail::time_unit(timer_, unit, config_.protocol); },
           [this, unit](const MeasurementResult& result) { store_unit(unit, result); }});
    }
    detail::run_stretches(tasks, *sentinel_, config_, progress_, counts_);
    progress_.end();
    for (const auto& [unit, result] : results_) {
      if (const auto* failure = std::get_if<MeasurementFailure>(&result)) {
        report_.failures.push_back(space::spec_text(unit) + ": " + failure->reason);
      }
    }
  }

  /// The unit of median cost that can be measured. Its stored time is what later timings are
  /// compared with.
  void find_sentinel() {
    std::vector<space::LayerSpec> candidates = units_;
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const auto& a, const auto& b) { return space::macs(a) < space::macs(b); });
    std::rotate(candidates.begin(),
                candidates.begin() + static_cast<std::ptrdiff_t>(candidates.size() / 2),
                candidates.end());
    for (const space::LayerSpec& unit : candidates) {
      if (!results_.contains(unit)) {
        core::check_interrupt();
        store_unit(unit, settled_time(unit));
        progress_.advance(1, "");
      }
      if (const auto* measured = std::get_if<Measurement>(&results_.at(unit))) {
        sentinel_.emplace(timer_, config_.protocol, unit, measured->median_ms);
        return;
      }
    }
    const auto& reason = std::get<MeasurementFailure>(results_.at(candidates.front())).reason;
    throw EnvironmentError(
        fmt::format("none of the {} units of space '{}' could be measured; {}: {}", units_.size(),
                    space_.name(), space::spec_text(candidates.front()), reason));
  }

  /// Times a unit until two results in a row agree: the first runs of a process meet a cold
  /// machine, and the reference of all drift must not be one of them.
  MeasurementResult settled_time(const space::LayerSpec& unit) {
    constexpr int kMaxTimings = 6;
    MeasurementResult last = detail::time_unit(timer_, unit, config_.protocol);
    for (int i = 1; i < kMaxTimings; ++i) {
      const auto* before = std::get_if<Measurement>(&last);
      if (before == nullptr) break;
      MeasurementResult next = detail::time_unit(timer_, unit, config_.protocol);
      const auto* after = std::get_if<Measurement>(&next);
      const bool agree = after != nullptr && std::abs(after->median_ms / before->median_ms - 1.0) <=
                                                 config_.max_drift_ratio / 2.0;
      last = std::move(next);
      if (agree) break;
    }
    return last;
  }

  [[nodiscard]] LatencyTable table_of_units() const {
    std::map<space::LayerSpec, double> median_ms;
    for (const auto& [unit, result] : results_) {
      if (const auto* measured = std::get_if<Measurement>(&result)) {
        median_ms.emplace(unit, measured->median_ms);
      }
    }
    return LatencyTable(std::move(median_ms));
  }

  void choose_networks() {
    const space::AdditiveCost sums = report_.table.compile(space_, io_);
    NetworkChoice choice;
    try {
      smallest_sum_ms_ = sums.minimum(space_).cost;
      choice = latency::choose_networks(space_, sums, config_.correction_networks,
                                        config_.check_networks, seed_);
    } catch (const StateError&) {
      throw EnvironmentError(fmt::format(
          "every arch of space '{}' uses a unit that could not be measured; {} of {} failed, {}",
          space_.name(), report_.failures.size(), units_.size(), report_.failures.front()));
    }
    add_networks(choice.correction, NetworkPurpose::kCorrection);
    add_networks(choice.check, NetworkPurpose::kCheck);
    detail::stream(seed_, detail::Draw::kNetworkOrder).shuffle(std::span(networks_));
  }

  void add_networks(const std::vector<space::Arch>& archs, NetworkPurpose purpose) {
    target_.db.write([&](SQLite::Database& sql) {
      for (const space::Arch& arch : archs) {
        Network network{purpose, space::lower(space_, arch, io_), space::to_text(space_, arch),
                        target_.arch_id_of(sql, arch), std::nullopt};
        network.result =
            get_network_latency(sql, target_.device_id, network.arch_id, protocol_hash_, purpose);
        networks_.push_back(std::move(network));
      }
    });
  }

  void measure_networks() {
    std::vector<detail::Task> tasks;
    for (Network& network : networks_) {
      if (network.result) continue;
      tasks.push_back(
          {[this, &network] {
             return detail::time_network(timer_, network.plan, config_.protocol);
           },
           [this, &network](const MeasurementResult& result) { store_network(network, result); }});
    }
    const auto total = static_cast<std::int64_t>(networks_.size());
    progress_.begin("profile networks", total, "networks",
                    total - static_cast<std::int64_t>(tasks.size()));
    detail::run_stretches(tasks, *sentinel_, config_, progress_, counts_);
    progress_.end();
  }

  void store_network(Network& network, const MeasurementResult& result) {
    target_.db.write([&](SQLite::Database& sql) {
      put_network_latency(sql, target_.device_id, network.arch_id, protocol_hash_, network.purpose,
                          result);
    });
    network.result = result;
  }

  void fit_and_judge() {
    Pairs fit = pairs(NetworkPurpose::kCorrection);
    if (fit.measured_ms.empty() && config_.correction_networks > 0) {
      throw EnvironmentError("no whole network could be measured; " + report_.failures.back());
    }
    report_.table.set_correction(fit_correction(fit.sums_ms, fit.measured_ms, smallest_sum_ms_));
    Pairs check = pairs(NetworkPurpose::kCheck);
    for (double& value : check.sums_ms) value = report_.table.correction()(value);
    report_.check = judge_estimates(check.sums_ms, check.measured_ms);
    report_.num_networks = static_cast<int>(fit.measured_ms.size() + check.measured_ms.size());
    target_.db.write([&](SQLite::Database& sql) {
      put_latency_model(sql, {target_.stage_run_id, target_.device_id, target_.space_id,
                              report_.table.correction(), report_.check});
    });
  }

  struct Pairs {
    std::vector<double> sums_ms;
    std::vector<double> measured_ms;
  };

  /// Measured networks of a purpose; the others are reported as failures.
  Pairs pairs(NetworkPurpose purpose) {
    Pairs result;
    for (const Network& network : networks_) {
      if (network.purpose != purpose) continue;
      if (const auto* failure = std::get_if<MeasurementFailure>(&*network.result)) {
        report_.failures.push_back(network.text + ": " + failure->reason);
        continue;
      }
      const auto sum_ms = report_.table.sum_ms(network.plan);
      OMNIFIT_CHECK(sum_ms.has_value(), "a chosen network has no estimate: {}", network.text);
      result.sums_ms.push_back(*sum_ms);
      result.measured_ms.push_back(std::get<Measurement>(*network.result).median_ms);
    }
    return result;
  }

  const space::SearchSpace& space_;
  const space::TaskIo& io_;
  LayerTimer& timer_;
  const ProfileConfig& config_;
  std::uint64_t seed_;
  const ProfileTarget& target_;
  core::ProgressSink& progress_;
  std::string protocol_hash_;

  std::vector<space::LayerSpec> units_;
  std::map<space::LayerSpec, MeasurementResult> results_;
  std::optional<detail::Sentinel> sentinel_;
  std::vector<Network> networks_;
  double smallest_sum_ms_ = 0.0;
  detail::StretchCounts counts_;
  ProfileReport report_;
};

}  // namespace

ProfileReport profile(const space::SearchSpace& space, const space::TaskIo& io, LayerTimer& timer,
                      const ProfileConfig& config, std::uint64_t seed, const ProfileTarget& target,
                      core::ProgressSink& progress) {
  return Profiler(space, io, timer, config, seed, target, progress).run();
}

}  // namespace omnifit::latency
