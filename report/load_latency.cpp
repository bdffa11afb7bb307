#include "report/loader.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"

#include <map>

namespace omnifit::report {
namespace {

struct UnitTime {
  double time_ms = 0.0;
  double deviation_ms = 0.0;  ///< 0 if it was measured
};
using UnitTimes = std::map<space::LayerSpec, UnitTime>;

/// Adds what a statement of specs, times and deviations finds; what is there already stays.
void add_unit_times(SQLite::Statement& row, UnitTimes& times) {
  while (row.executeStep()) {
    try {
      times.try_emplace(space::parse_spec(row.getColumn(0).getString()),
                        UnitTime{row.getColumn(1).getDouble(), row.getColumn(2).getDouble()});
    } catch (const Error&) {
      // A kind of unit this version does not know belongs to no plan it can lower.
    }
  }
}

/// Of the measured units, and of those that the model estimates in place of a measurement.
UnitTimes unit_times(SQLite::Database& sql, std::int64_t device_id,
                     const std::string& protocol_hash, std::int64_t model_id) {
  UnitTimes times;
  SQLite::Statement measured(sql,
                             "SELECT spec, median_ms, 0.0 FROM layer_latency WHERE device_id = ? "
                             "AND protocol_hash = ? AND "
                             "source = 'measured' AND median_ms IS NOT NULL");
  measured.bind(1, device_id);
  measured.bind(2, protocol_hash);
  add_unit_times(measured, times);
  SQLite::Statement estimated(
      sql, "SELECT spec, time_ms, deviation_ms FROM layer_estimate WHERE latency_model_id = ?");
  estimated.bind(1, model_id);
  add_unit_times(estimated, times);
  return times;
}

/// The corrected sum over the units; nothing where one has no time.
std::optional<UnitTime> estimate(const LatencyInfo& latency, const UnitTimes& times,
                                 const space::NetworkPlan& plan) {
  UnitTime sum;
  double weight_mb = 0.0;
  for (const space::PlanUnit& unit : plan.units) {
    const auto found = times.find(unit.spec);
    if (found == times.end()) return std::nullopt;
    sum.time_ms += found->second.time_ms;
    sum.deviation_ms += found->second.deviation_ms;
    weight_mb += static_cast<double>(space::model_bytes(unit.spec)) * 1e-6;
  }
  return UnitTime{latency.scale * sum.time_ms + latency.offset_ms +
                      latency.unit_overhead_ms * static_cast<double>(plan.units.size()) +
                      latency.weight_ms_per_mb * weight_mb,
                  latency.deviation_scale * latency.scale * sum.deviation_ms};
}

}  // namespace

void Loader::load_latency(ReportData& data) {
  const auto profile_id = run_id("profile");
  if (!profile_id) return;
  SQLite::Statement row(
      sql_,
      "SELECT m.device_id, m.space_id, m.scale, m.offset_ms, m.num_fit, m.num_check, "
      "m.mape, m.within_10_percent, m.kendall_tau, d.name, d.runtime, d.threads, "
      "d.precision, d.description, m.protocol_hash, m.r2, m.unit_overhead_ms, "
      "m.weight_ms_per_mb, m.id, m.deviation_scale FROM latency_model m "
      "JOIN device d ON d.id = m.device_id WHERE m.stage_run_id = ? ORDER BY m.id");
  row.bind(1, *profile_id);
  while (row.executeStep()) {
    LatencyInfo& latency = data.latencies.emplace_back();
    const std::int64_t device_id = row.getColumn(0).getInt64();
    space_id_ = row.getColumn(1).getInt64();
    latency.scale = row.getColumn(2).getDouble();
    latency.offset_ms = row.getColumn(3).getDouble();
    latency.num_fit = row.getColumn(4).getInt64();
    latency.num_check = row.getColumn(5).getInt64();
    latency.mape = optional_real(row.getColumn(6));
    latency.within_10_percent = optional_real(row.getColumn(7));
    latency.kendall_tau = optional_real(row.getColumn(8));
    latency.device_name = row.getColumn(9).getString();
    latency.runtime = row.getColumn(10).getString();
    latency.threads = row.getColumn(11).getInt();
    latency.precision = row.getColumn(12).getString();
    latency.description = facts_of_json(row.getColumn(13).getString(), "description");
    latency.r2 = optional_real(row.getColumn(15));
    latency.unit_overhead_ms = row.getColumn(16).getDouble();
    latency.weight_ms_per_mb = row.getColumn(17).getDouble();
    latency.deviation_scale = row.getColumn(19).getDouble();
    std::string protocol = row.getColumn(14).getString();
    if (protocol.empty()) protocol = check_protocol(device_id, *space_id_, latency.num_check);
    const std::int64_t model_id = row.getColumn(18).getInt64();
    load_layer_counts(device_id, protocol, model_id, latency);
    load_checks(device_id, *space_id_, protocol, model_id, latency);
  }
}

// A latency model of an old project file does not name its protocol. A device may have been
// profiled under several: the one whose number of check networks the model states is meant, and
// among equals the latest.
std::string Loader::check_protocol(std::int64_t device_id, std::int64_t space_id,
                                   std::int64_t num_check) {
  SQLite::Statement row(
      sql_,
      "SELECT n.protocol_hash FROM network_latency n JOIN arch a ON a.id = n.arch_id "
      "WHERE n.device_id = ? AND a.space_id = ? AND n.purpose IN ('check', 'correction') "
      "GROUP BY n.protocol_hash ORDER BY SUM(n.purpose = 'check' AND n.median_ms IS NOT NULL) "
      "= ? DESC, MAX(n.measured_at) DESC, n.protocol_hash LIMIT 1");
  row.bind(1, device_id);
  row.bind(2, space_id);
  row.bind(3, num_check);
  return row.executeStep() ? row.getColumn(0).getString() : "";
}

void Loader::load_layer_counts(std::int64_t device_id, const std::string& protocol_hash,
                               std::int64_t model_id, LatencyInfo& latency) {
  SQLite::Statement row(
      sql_,
      "SELECT spec, failure FROM layer_latency WHERE device_id = ? AND protocol_hash = ? "
      "AND source = 'measured' ORDER BY spec");
  row.bind(1, device_id);
  row.bind(2, protocol_hash);
  while (row.executeStep()) {
    if (row.getColumn(1).isNull()) {
      ++latency.num_layers_measured;
    } else {
      latency.layer_failures.emplace_back(row.getColumn(0).getString(),
                                          row.getColumn(1).getString());
    }
  }
  SQLite::Statement estimated(sql_,
                              "SELECT count(*), avg(deviation_ms / time_ms) FROM layer_estimate "
                              "WHERE latency_model_id = ?");
  estimated.bind(1, model_id);
  estimated.executeStep();
  latency.num_layers_estimated = estimated.getColumn(0).getInt64();
  latency.mean_rel_deviation = optional_real(estimated.getColumn(1));
}

// The estimate of a network is not stored: it follows from the stored units and the stored
// correction.
void Loader::load_checks(std::int64_t device_id, std::int64_t space_id,
                         const std::string& protocol_hash, std::int64_t model_id,
                         LatencyInfo& latency) {
  const UnitTimes times = unit_times(sql_, device_id, protocol_hash, model_id);
  SQLite::Statement row(
      sql_,
      "SELECT n.arch_id, n.median_ms, n.failure FROM network_latency n JOIN arch a ON "
      "a.id = n.arch_id WHERE n.device_id = ? AND a.space_id = ? AND n.protocol_hash = ? "
      "AND n.purpose = 'check' ORDER BY a.text");
  row.bind(1, device_id);
  row.bind(2, space_id);
  row.bind(3, protocol_hash);
  while (row.executeStep()) {
    const StoredArch& stored = arch(row.getColumn(0).getInt64());
    if (row.getColumn(1).isNull()) {
      latency.check_failures.emplace_back(stored.info.text, row.getColumn(2).getString());
      continue;
    }
    const std::optional<space::Arch> parsed = parse(stored);
    if (!parsed) continue;
    const auto plan = space::lower(*search_space(stored.space_id), *parsed,
                                   {stored.in_channels, stored.num_classes});
    if (const auto estimated = estimate(latency, times, plan)) {
      latency.checks.push_back({stored.info.text, estimated->time_ms, row.getColumn(1).getDouble(),
                                estimated->deviation_ms});
    }
  }
}

}  // namespace omnifit::report
