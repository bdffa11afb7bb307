#include "latency_lut/latency_table.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "space/costs.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace omnifit::latency {
namespace {

double weight_mb(const space::LayerSpec& spec) {
  return static_cast<double>(space::model_bytes(spec)) * 1e-6;
}

}  // namespace

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

LatencyTable LatencyTable::of_model(const store::Database& db, const LatencyModelRow& model) {
  LatencyTable table = load(db, model.device_id, model.protocol_hash);
  table.set_correction(model.correction);
  db.read([&](SQLite::Database& sql) {
    table.set_estimates(get_layer_estimates(sql, model.stage_run_id, model.device_id));
  });
  return table;
}

void LatencyTable::fill_gaps(std::span<const space::LayerSpec> units) {
  std::vector<space::LayerSpec> gaps;
  for (const space::LayerSpec& unit : units) {
    if (!median_ms_.contains(unit)) gaps.push_back(unit);
  }
  estimates_.clear();
  if (gaps.empty()) return;
  if (median_ms_.size() < KernelRegressor::kMinUnits) {
    throw StateError(fmt::format(
        "the latency table has {} units, at least {} are needed to estimate the others from",
        median_ms_.size(), KernelRegressor::kMinUnits));
  }
  std::vector<UnitTime> times;
  for (const auto& [spec, time_ms] : median_ms_) times.push_back({spec, time_ms});
  const std::vector<LatencyEstimate> estimates = KernelRegressor::fit(times).predict(gaps);
  for (std::size_t i = 0; i < gaps.size(); ++i) estimates_.emplace(gaps[i], estimates[i]);
}

void LatencyTable::set_estimates(EstimatedUnits estimates) {
  estimates_ = std::move(estimates);
  std::erase_if(estimates_, [&](const auto& entry) { return median_ms_.contains(entry.first); });
}

std::optional<LatencyTable::UnitEstimate> LatencyTable::unit(const space::LayerSpec& spec) const {
  const auto found = median_ms_.find(spec);
  if (found != median_ms_.end()) return UnitEstimate{{found->second, 0.0}, true};
  const auto estimated = estimates_.find(spec);
  if (estimated == estimates_.end()) return std::nullopt;
  return UnitEstimate{estimated->second, false};
}

std::optional<double> LatencyTable::unit_ms(const space::LayerSpec& spec) const {
  const auto known = unit(spec);
  if (!known) return std::nullopt;
  return known->latency.time_ms;
}

std::optional<LatencyTable::NetworkEstimate> LatencyTable::estimate(
    const space::NetworkPlan& plan, std::vector<space::LayerSpec>* missing) const {
  const auto total = sum(plan, missing);
  if (!total) return std::nullopt;
  NetworkEstimate network;
  network.latency = {correction_(*total), correction_.deviation_ms(*total)};
  for (const space::PlanUnit& planned : plan.units) {
    if (!median_ms_.contains(planned.spec)) ++network.num_estimated;
  }
  return network;
}

std::optional<NetworkSum> LatencyTable::sum(const space::NetworkPlan& plan,
                                            std::vector<space::LayerSpec>* missing) const {
  NetworkSum total;
  bool complete = true;
  for (const space::PlanUnit& planned : plan.units) {
    if (const auto known = unit(planned.spec)) {
      total.sum_ms += known->latency.time_ms;
      ++total.num_units;
      total.weight_mb += weight_mb(planned.spec);
      total.deviation_ms += known->latency.deviation_ms;
    } else {
      complete = false;
      const bool report = missing != nullptr && std::find(missing->begin(), missing->end(),
                                                          planned.spec) == missing->end();
      if (report) missing->push_back(planned.spec);
    }
  }
  if (!complete) return std::nullopt;
  return total;
}

std::optional<double> LatencyTable::estimate_ms(const space::NetworkPlan& plan,
                                                std::vector<space::LayerSpec>* missing) const {
  const auto total = sum(plan, missing);
  if (!total) return std::nullopt;
  return correction_(*total);
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
    return correction_.unit(*time_ms, weight_mb(spec));
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
  if (correction_.weight_ms_per_mb != 0.0)
    text += fmt::format("{} per MB\n", correction_.weight_ms_per_mb);
  if (correction_.deviation_scale != 1.0)
    text += fmt::format("{} of deviations\n", correction_.deviation_scale);
  for (const auto& [spec, time_ms] : median_ms_) {
    text += fmt::format("{} {}\n", space::spec_text(spec), time_ms);
  }
  for (const auto& [spec, estimate] : estimates_) {
    text += fmt::format("{} {} +- {}\n", space::spec_text(spec), estimate.time_ms,
                        estimate.deviation_ms);
  }
  return core::stable_hash(text);
}

}  // namespace omnifit::latency
