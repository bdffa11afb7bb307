#include "latency_lut/latency_table.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "latency_lut/latency_store.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace omnifit::latency {

LatencyTable::LatencyTable(std::map<space::LayerSpec, double> median_ms, Correction correction)
    : median_ms_(std::move(median_ms)), correction_(correction) {
  for (const auto& [spec, time_ms] : median_ms_) {
    if (!std::isfinite(time_ms) || time_ms <= 0.0) {
      throw std::invalid_argument(fmt::format("latency of {} must be positive, got {} ms",
                                              space::spec_text(spec), time_ms));
    }
  }
}

LatencyTable LatencyTable::load(const store::Database& db, std::int64_t device_id,
                                const std::string& protocol_hash) {
  std::map<space::LayerSpec, double> median_ms;
  db.read([&](SQLite::Database& sql) {
    for (const LayerLatencyRow& row : get_layer_latencies(sql, device_id, protocol_hash)) {
      if (const auto* measured = std::get_if<Measurement>(&row.result)) {
        median_ms.emplace(row.spec, measured->median_ms);
      }
    }
  });
  return LatencyTable(std::move(median_ms));
}

LatencyTable LatencyTable::of_stage(const store::Database& db, std::int64_t stage_run_id,
                                    const std::string& protocol_hash) {
  std::optional<LatencyModelRow> model;
  db.read([&](SQLite::Database& sql) { model = get_latency_model(sql, stage_run_id); });
  if (!model) {
    throw StateError(db.path().string() +
                     ": no latency table was profiled yet; run the profile stage first");
  }
  LatencyTable table = load(db, model->device_id, protocol_hash);
  table.set_correction(model->correction);
  return table;
}

void LatencyTable::fill_gaps() {
  if (median_ms_.size() < KernelRegressor::kMinUnits) {
    throw StateError(fmt::format(
        "the latency table has {} units, at least {} are needed to estimate the others from",
        median_ms_.size(), KernelRegressor::kMinUnits));
  }
  std::vector<UnitTime> times;
  for (const auto& [spec, time_ms] : median_ms_) times.push_back({spec, time_ms});
  regressor_ = KernelRegressor::fit(times);
}

std::optional<LatencyTable::UnitEstimate> LatencyTable::unit(const space::LayerSpec& spec) const {
  const auto found = median_ms_.find(spec);
  if (found != median_ms_.end()) return UnitEstimate{{found->second, 0.0}, true};
  if (!regressor_) return std::nullopt;
  return UnitEstimate{regressor_->predict(spec), false};
}

std::optional<double> LatencyTable::unit_ms(const space::LayerSpec& spec) const {
  const auto known = unit(spec);
  if (!known) return std::nullopt;
  return known->latency.time_ms;
}

std::optional<LatencyTable::NetworkEstimate> LatencyTable::estimate(
    const space::NetworkPlan& plan, std::vector<space::LayerSpec>* missing) const {
  const auto total_ms = sum_ms(plan, missing);
  if (!total_ms) return std::nullopt;
  NetworkEstimate network;
  network.latency.time_ms = correction_(NetworkSum{*total_ms, static_cast<int>(plan.units.size())});
  for (const space::PlanUnit& planned : plan.units) {
    const auto known = unit(planned.spec);
    if (known->measured) continue;
    ++network.num_regressed;
    network.latency.deviation_ms += correction_.scale * known->latency.deviation_ms;
  }
  return network;
}

std::optional<double> LatencyTable::sum_ms(const space::NetworkPlan& plan,
                                           std::vector<space::LayerSpec>* missing) const {
  double sum_ms = 0.0;
  bool complete = true;
  for (const space::PlanUnit& unit : plan.units) {
    if (const auto time_ms = unit_ms(unit.spec)) {
      sum_ms += *time_ms;
    } else {
      complete = false;
      const bool report = missing != nullptr &&
                          std::find(missing->begin(), missing->end(), unit.spec) == missing->end();
      if (report) missing->push_back(unit.spec);
    }
  }
  if (!complete) return std::nullopt;
  return sum_ms;
}

std::optional<double> LatencyTable::estimate_ms(const space::NetworkPlan& plan,
                                                std::vector<space::LayerSpec>* missing) const {
  const auto total_ms = sum_ms(plan, missing);
  if (!total_ms) return std::nullopt;
  return correction_(NetworkSum{*total_ms, static_cast<int>(plan.units.size())});
}

space::AdditiveCost LatencyTable::compile(const space::SearchSpace& space,
                                          const space::TaskIo& io) const {
  std::size_t num_asked = 0;
  std::size_t num_known = 0;
  const auto unit_cost = [&](const space::LayerSpec& spec) -> std::optional<double> {
    ++num_asked;
    const auto time_ms = unit_ms(spec);
    if (!time_ms) return std::nullopt;
    ++num_known;
    return correction_.scale * *time_ms + correction_.unit_overhead_ms;
  };
  space::AdditiveCost cost =
      space::AdditiveCost::compile(space, io, unit_cost, correction_.offset_ms);
  if (num_known == 0) {
    throw StateError(fmt::format(
        "the latency table ({} units) has none of the {} units of space '{}': it is of another "
        "space; run the profile stage for this one",
        size(), num_asked, space.name()));
  }
  return cost;
}

std::uint64_t LatencyTable::hash() const {
  std::string text = fmt::format("{} {}\n", correction_.scale, correction_.offset_ms);
  if (correction_.unit_overhead_ms != 0.0)
    text += fmt::format("{}\n", correction_.unit_overhead_ms);
  if (regressor_) text += "gaps filled\n";
  for (const auto& [spec, time_ms] : median_ms_) {
    text += fmt::format("{} {}\n", space::spec_text(spec), time_ms);
  }
  return core::stable_hash(text);
}

}  // namespace omnifit::latency
