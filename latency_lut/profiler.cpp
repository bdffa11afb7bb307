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
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace omnifit::latency {
namespace {

/// A unit or whole network of the profile and what is known of it.
struct Item {
  space::NetworkPlan plan;
  std::string text;  ///< for messages
  std::optional<MeasurementResult> known;
  bool may_settle = false;  ///< its last timing belongs to this stretch, and the timer met nothing
  std::function<void(const MeasurementResult&)> put;  ///< stores its row

  [[nodiscard]] const Measurement* measured() const {
    return known ? std::get_if<Measurement>(&*known) : nullptr;
  }
};

struct Unit {
  space::LayerSpec spec;
  bool chosen = true;  ///< for being measured
  Item item;
};

struct Network {
  NetworkPurpose purpose = NetworkPurpose::kCheck;
  Item item;
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
    load_units();
    choose_reference();
    stretches_.emplace(timer_, config_, reference_ ? &*reference_ : nullptr, find_sentinel());
    run_round("profile units", chosen_units(), {}, 1);
    report_.table = table_of_units();
    choose_networks();
    // From here on units and networks take turns, so that both meet the same machine.
    for (int round = 1; round == 1 || may_go_on(round); ++round) {
      const bool units_too = may_go_on(round + 1);
      run_round(fmt::format("profile networks, round {}", round), networks(),
                units_too ? chosen_units() : std::vector<Item*>(), round);
    }
    restate_networks();
    report_.table = table_of_units();
    fit_and_judge();
    finish_report();
    return std::move(report_);
  }

 private:
  std::vector<Item*> chosen_units() {
    std::vector<Item*> items;
    for (Unit& unit : units_) {
      if (unit.chosen) items.push_back(&unit.item);
    }
    return items;
  }

  std::vector<Item*> networks() {
    std::vector<Item*> items;
    for (Network& network : networks_) items.push_back(&network.item);
    return items;
  }

  [[nodiscard]] bool may_go_on(int round) const {
    const std::chrono::duration<double> used = std::chrono::steady_clock::now() - start_;
    return round <= config_.max_rounds &&
           (config_.time_limit_s == 0.0 || used.count() < config_.time_limit_s);
  }

  void load_units() {
    std::map<space::LayerSpec, MeasurementResult> stored;
    target_.db.read([&](SQLite::Database& sql) {
      for (auto& row : get_layer_latencies(sql, target_.device_id, protocol_hash_)) {
        stored.emplace(row.spec, std::move(row.result));
      }
    });
    for (const space::LayerSpec& spec : space::distinct_units(space_, io_)) {
      Unit unit{.spec = spec, .item = {}};
      unit.item.plan = unit_plan(unit.spec);
      unit.item.text = space::spec_text(unit.spec);
      if (auto node = stored.extract(unit.spec)) unit.item.known = std::move(node.mapped());
      unit.item.put = [this, spec = unit.spec](const MeasurementResult& result) {
        target_.db.write([&](SQLite::Database& sql) {
          put_layer_latency(sql, target_.device_id, config_.protocol, {spec, result});
        });
      };
      units_.push_back(std::move(unit));
    }
    report_.num_units = static_cast<int>(units_.size());
    choose_share();
  }

  /// None where one of its units is known to fail.
  void choose_reference() {
    reference_ = reference_network(space_, io_);
    for (const Unit& unit : units_) {
      const bool failed = unit.item.known && unit.item.measured() == nullptr;
      const auto uses = [&](const auto& planned) { return planned.spec == unit.spec; };
      if (failed && std::ranges::any_of(reference_->units, uses)) reference_.reset();
      if (!reference_) return;
    }
  }

  void choose_share() {
    const std::vector<space::LayerSpec> specs = unit_specs();
    const auto wanted =
        static_cast<std::size_t>(std::ceil(config_.share * static_cast<double>(specs.size())));
    const std::size_t count = std::max<std::size_t>(wanted, KernelRegressor::kMinUnits);
    if (count >= specs.size()) return;
    for (Unit& unit : units_) unit.chosen = false;
    for (const std::size_t i : choose_units(specs, count)) units_[i].chosen = true;
  }

  [[nodiscard]] std::vector<space::LayerSpec> unit_specs() const {
    std::vector<space::LayerSpec> specs;
    for (const Unit& unit : units_) specs.push_back(unit.spec);
    return specs;
  }

  /// Takes in one more timing of an item and stores what is known now. Until the end of the stretch
  /// shows that the machine ran at its full speed, the timing counts as disturbed.
  void take(Item& item, const MeasurementResult& result) {
    const Measurement* before = item.measured();
    const auto* timing = std::get_if<Measurement>(&result);
    item.may_settle = timing != nullptr && !timing->timings.back().disturbed;
    if (!item.known) ++report_.num_measured;
    const int rounds = before != nullptr ? before->rounds + 1 : 1;
    if (timing != nullptr) {
      std::vector<Timing> timings = before != nullptr ? before->timings : std::vector<Timing>();
      timings.push_back(timing->timings.back());
      timings.back().disturbed = true;
      remember_reference(timings.back());
      item.known = measurement_of(std::move(timings), usual_reference_ms());
    } else if (before == nullptr) {
      item.known = result;
    }
    // It could be measured before: a failure now says nothing about the item, but it was a round.
    if (auto* measured = std::get_if<Measurement>(&*item.known)) measured->rounds = rounds;
    item.put(*item.known);
    if (const auto* failure = std::get_if<MeasurementFailure>(&*item.known)) {
      progress_.message(fmt::format("not measured: {}: {}", item.text, failure->reason));
    }
  }

  /// The machine was undisturbed during the item's last timing.
  void settle(Item& item) const {
    if (!item.may_settle) return;
    const Measurement& known = *item.measured();
    const int rounds = known.rounds;
    std::vector<Timing> timings = known.timings;
    timings.back().disturbed = false;
    Measurement settled = measurement_of(std::move(timings), usual_reference_ms());
    settled.rounds = rounds;
    item.known = std::move(settled);
    item.put(*item.known);
  }

  void remember_reference(const Timing& timing) {
    if (timing.reference_ms <= 0.0) return;
    reference_ms_.insert(std::ranges::upper_bound(reference_ms_, timing.reference_ms),
                         timing.reference_ms);
  }

  [[nodiscard]] double usual_reference_ms() const {
    return latency::usual_reference_ms(reference_ms_);
  }

  /// Brings all networks to what the reference usually took in the whole profile.
  void restate_networks() {
    for (Network& network : networks_) {
      const Measurement* known = network.item.measured();
      if (known == nullptr) continue;
      Measurement restated = measurement_of(known->timings, usual_reference_ms());
      restated.rounds = known->rounds;
      if (restated == *known) continue;
      network.item.known = std::move(restated);
      network.item.put(*network.item.known);
    }
  }

  [[nodiscard]] bool settled(const Measurement& known) const {
    const auto ratio = disagreement(known, config_.min_rounds);
    return ratio && *ratio <= config_.agree_ratio;
  }

  [[nodiscard]] bool needs_timing(const Item& item, int round) const {
    if (!item.known) return true;
    const Measurement* known = item.measured();
    return known != nullptr && known->rounds < round && !settled(*known);
  }

  /// Times what needs it in random order: networks of this round, units of the next one.
  void run_round(const std::string& name, const std::vector<Item*>& items,
                 const std::vector<Item*>& items_ahead, int round) {
    std::vector<Item*> chosen;
    for (Item* item : items) {
      if (needs_timing(*item, round)) chosen.push_back(item);
    }
    for (Item* item : items_ahead) {
      if (needs_timing(*item, round + 1)) chosen.push_back(item);
    }
    const auto total = static_cast<std::int64_t>(round == 1 ? items.size() : chosen.size());
    const auto num_chosen = static_cast<std::int64_t>(chosen.size());
    if (num_chosen == 0 && round > 1) return;
    detail::stream(seed_, detail::Draw::kOrder, num_passes_++).shuffle(std::span(chosen));
    std::vector<detail::Task> tasks;
    tasks.reserve(chosen.size());
    for (Item* item : chosen) {
      tasks.push_back({item->plan, [this, item](const auto& result) { take(*item, result); },
                       [this, item] { settle(*item); }});
    }
    progress_.begin(name, std::max(total, num_chosen), "timings",
                    std::max(total, num_chosen) - num_chosen);
    stretches_->run(tasks, [this] { progress_.advance(1, ""); });
    progress_.end();
  }

  /// The unit of median cost that can be measured.
  detail::Sentinel find_sentinel() {
    std::vector<Unit*> candidates;
    for (Unit& unit : units_) {
      if (unit.chosen) candidates.push_back(&unit);
    }
    std::stable_sort(candidates.begin(), candidates.end(), [](const Unit* a, const Unit* b) {
      return space::macs(a->spec) < space::macs(b->spec);
    });
    std::rotate(candidates.begin(),
                candidates.begin() + static_cast<std::ptrdiff_t>(candidates.size() / 2),
                candidates.end());
    for (Unit* unit : candidates) {
      if (!unit->item.known) {
        core::check_interrupt();
        take(unit->item, settled_time(unit->item.plan));
        settle(unit->item);
      }
      if (const Measurement* measured = unit->item.measured()) {
        return detail::Sentinel(unit->spec, measured->median_ms);
      }
    }
    const Item& first = candidates.front()->item;
    throw EnvironmentError(fmt::format(
        "none of the {} units of space '{}' could be measured; {}: {}", candidates.size(),
        space_.name(), first.text, std::get<MeasurementFailure>(*first.known).reason));
  }

  /// Times a unit until two results in a row agree: the first runs of a process meet a cold
  /// machine, and the measure of all slowness must not be one of them.
  MeasurementResult settled_time(const space::NetworkPlan& plan) {
    constexpr int kMaxTimings = 6;
    MeasurementResult best = summarise(time_one(timer_, plan, config_.protocol));
    for (int i = 1; i < kMaxTimings; ++i) {
      auto* before = std::get_if<Measurement>(&best);
      if (before == nullptr) break;
      const MeasurementResult next = summarise(time_one(timer_, plan, config_.protocol));
      const auto* after = std::get_if<Measurement>(&next);
      if (after == nullptr) continue;
      const bool agree =
          std::abs(after->median_ms / before->median_ms - 1.0) <= config_.agree_ratio;
      if (after->median_ms < before->median_ms) best = *after;
      if (agree) break;
    }
    return best;
  }

  [[nodiscard]] LatencyTable table_of_units() const {
    std::map<space::LayerSpec, double> median_ms;
    std::vector<space::LayerSpec> unknown;
    for (const Unit& unit : units_) {
      if (const Measurement* measured = unit.item.measured()) {
        median_ms.emplace(unit.spec, measured->median_ms);
      } else if (!unit.item.known) {
        unknown.push_back(unit.spec);
      }
    }
    if (!unknown.empty() && median_ms.size() < KernelRegressor::kMinUnits) {
      throw EnvironmentError(fmt::format(
          "only {} units of space '{}' could be measured, at least {} are needed to estimate the "
          "others from; {}",
          median_ms.size(), space_.name(), KernelRegressor::kMinUnits, unit_failures().first));
    }
    LatencyTable table(std::move(median_ms));
    table.fill_gaps(unknown);
    return table;
  }

  struct Failures {
    int num = 0;
    std::string first;  ///< "unit: reason"
  };
  [[nodiscard]] Failures unit_failures() const {
    Failures failures;
    for (const Unit& unit : units_) {
      if (!unit.item.known || unit.item.measured() != nullptr) continue;
      if (failures.num++ == 0) {
        failures.first =
            unit.item.text + ": " + std::get<MeasurementFailure>(*unit.item.known).reason;
      }
    }
    return failures;
  }

  /// By their MACs, so that the choice does not depend on what the clock said: every device of a
  /// project measures the same networks, and a resumed profile goes on with those it began.
  void choose_networks() {
    const LatencyTable& table = report_.table;
    const auto cost = space::AdditiveCost::compile(
        space_, io_, [&](const space::LayerSpec& spec) -> std::optional<double> {
          if (!table.unit_ms(spec)) return std::nullopt;
          return static_cast<double>(space::macs(spec));
        });
    NetworkChoice choice;
    try {
      choice = latency::choose_networks(space_, cost, config_.correction_networks,
                                        config_.check_networks, seed_);
    } catch (const StateError&) {
      const Failures failures = unit_failures();
      throw EnvironmentError(fmt::format(
          "every arch of space '{}' uses a unit that could not be measured; {} of {} failed, {}",
          space_.name(), failures.num, units_.size(), failures.first));
    }
    add_networks(choice.correction, NetworkPurpose::kCorrection);
    add_networks(choice.check, NetworkPurpose::kCheck);
  }

  void add_networks(const std::vector<space::Arch>& archs, NetworkPurpose purpose) {
    target_.db.write([&](SQLite::Database& sql) {
      for (const space::Arch& arch : archs) {
        const std::int64_t arch_id = target_.arch_id_of(sql, arch);
        Network network{purpose, {}};
        network.item.plan = space::lower(space_, arch, io_);
        network.item.text = space::to_text(space_, arch);
        network.item.known =
            get_network_latency(sql, target_.device_id, arch_id, protocol_hash_, purpose);
        network.item.put = [this, arch_id, purpose](const MeasurementResult& result) {
          target_.db.write([&](SQLite::Database& inner) {
            put_network_latency(inner, target_.device_id, arch_id, protocol_hash_, purpose, result);
          });
        };
        if (const Measurement* known = network.item.measured()) {
          for (const Timing& timing : known->timings) remember_reference(timing);
        }
        networks_.push_back(std::move(network));
      }
    });
  }

  void fit_and_judge() {
    const Pairs fit = pairs(NetworkPurpose::kCorrection);
    if (fit.measured_ms.empty() && config_.correction_networks > 0) {
      const Item& first = networks_.front().item;
      throw EnvironmentError(fmt::format("no whole network could be measured; {}: {}", first.text,
                                         std::get<MeasurementFailure>(*first.known).reason));
    }
    const space::Arch smallest = report_.table.compile(space_, io_).minimum(space_).arch;
    report_.table.set_correction(fit_correction(fit.networks, fit.measured_ms,
                                                network_sum(space::lower(space_, smallest, io_))));
    const Pairs check = pairs(NetworkPurpose::kCheck);
    std::vector<double> estimated_ms;
    for (const NetworkSum& network : check.networks) {
      estimated_ms.push_back(report_.table.correction()(network));
    }
    report_.check = judge_estimates(estimated_ms, check.measured_ms);
    report_.num_networks = static_cast<int>(fit.measured_ms.size() + check.measured_ms.size());
    target_.db.write([&](SQLite::Database& sql) {
      put_latency_model(sql, {target_.stage_run_id, target_.device_id, target_.space_id,
                              report_.table.correction(), report_.check, protocol_hash_});
      put_layer_estimates(sql, target_.stage_run_id, target_.device_id, report_.table.estimates());
    });
  }

  struct Pairs {
    std::vector<NetworkSum> networks;
    std::vector<double> measured_ms;
  };

  [[nodiscard]] NetworkSum network_sum(const space::NetworkPlan& plan) const {
    const auto sum = report_.table.sum(plan);
    OMNIFIT_CHECK(sum.has_value(), "a chosen network has a unit without a time");
    return *sum;
  }

  /// Measured networks of a purpose.
  [[nodiscard]] Pairs pairs(NetworkPurpose purpose) const {
    Pairs result;
    for (const Network& network : networks_) {
      const Measurement* measured = network.item.measured();
      if (network.purpose != purpose || measured == nullptr) continue;
      result.networks.push_back(network_sum(network.item.plan));
      result.measured_ms.push_back(measured->median_ms);
    }
    return result;
  }

  void finish_report() {
    report_.num_estimated = static_cast<int>(report_.table.estimates().size());
    std::vector<Item*> items = chosen_units();
    for (Item* item : networks()) items.push_back(item);
    for (const Item* item : items) {
      if (const Measurement* measured = item->measured()) {
        report_.num_rounds = std::max(report_.num_rounds, measured->rounds);
        if (!settled(*measured)) ++report_.num_unsettled;
      } else {
        report_.failures.push_back(item->text + ": " +
                                   std::get<MeasurementFailure>(*item->known).reason);
      }
    }
    report_.num_stretches = stretches_->counts().total;
    report_.num_disturbed_stretches = stretches_->counts().disturbed;
    report_.max_slowdown_ratio = stretches_->counts().max_slowdown_ratio;
  }

  const space::SearchSpace& space_;
  const space::TaskIo& io_;
  LayerTimer& timer_;
  const ProfileConfig& config_;
  std::uint64_t seed_;
  const ProfileTarget& target_;
  core::ProgressSink& progress_;
  std::string protocol_hash_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();

  std::vector<Unit> units_;
  std::vector<Network> networks_;
  std::optional<space::NetworkPlan> reference_;
  std::vector<double> reference_ms_;  ///< of all timings next to it, ascending
  std::optional<detail::Stretches> stretches_;
  std::uint64_t num_passes_ = 0;
  ProfileReport report_;
};

}  // namespace

ProfileReport profile(const space::SearchSpace& space, const space::TaskIo& io, LayerTimer& timer,
                      const ProfileConfig& config, std::uint64_t seed, const ProfileTarget& target,
                      core::ProgressSink& progress) {
  return Profiler(space, io, timer, config, seed, target, progress).run();
}

}  // namespace omnifit::latency
