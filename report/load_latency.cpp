#include "report/loader.hpp"
#include "space/lower.hpp"

#include <map>

namespace omnifit::report {
namespace {

using UnitTimes = std::map<space::LayerSpec, double>;

UnitTimes unit_times(SQLite::Database& sql, std::int64_t device_id,
                     const std::string& protocol_hash) {
  SQLite::Statement row(sql,
                        "SELECT spec, median_ms FROM layer_latency WHERE device_id = ? AND "
                        "protocol_hash = ? AND source = 'measured' AND median_ms IS NOT NULL");
  row.bind(1, device_id);
  row.bind(2, protocol_hash);
  UnitTimes times;
  while (row.executeStep()) {
    try {
      times[space::parse_spec(row.getColumn(0).getString())] = row.getColumn(1).getDouble();
    } catch (const Error&) {
      // A kind of unit this version does not know belongs to no plan it can lower.
    }
  }
  return times;
}

/// The corrected sum over the units; nothing where one has no time.
std::optional<double> estimate_ms(const LatencyInfo& latency, const UnitTimes& times,
                                  const space::NetworkPlan& plan) {
  double sum_ms = 0.0;
  for (const space::PlanUnit& unit : plan.units) {
    const auto found = times.find(unit.spec);
    if (found == times.end()) return std::nullopt;
    sum_ms += found->second;
  }
  return latency.scale * sum_ms + latency.offset_ms +
         latency.unit_overhead_ms * static_cast<double>(plan.units.size());
}

}  // namespace

void Loader::load_latency(ReportData& data) {
  const auto profile_id = run_id("profile");
  if (!profile_id) return;
  SQLite::Statement row(
      sql_,
      "SELECT m.device_id, m.space_id, m.scale, m.offset_ms, m.num_fit, m.num_check, "
      "m.mape, m.within_10_percent, m.kendall_tau, d.name, d.runtime, d.threads, "
      "d.precision, d.description, m.protocol_hash, m.r2, m.unit_overhead_ms FROM latency_model m "
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
    std::string protocol = row.getColumn(14).getString();
    if (protocol.empty()) protocol = check_protocol(device_id, *space_id_, latency.num_check);
    load_layer_counts(device_id, protocol, latency);
    load_checks(device_id, *space_id_, protocol, latency);
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
                               LatencyInfo& latency) {
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
}

// The estimate of a network is not stored: it follows from the stored units and the stored
// correction.
void Loader::load_checks(std::int64_t device_id, std::int64_t space_id,
                         const std::string& protocol_hash, LatencyInfo& latency) {
  const UnitTimes times = unit_times(sql_, device_id, protocol_hash);
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
    if (const auto estimate = estimate_ms(latency, times, plan)) {
      latency.checks.push_back({stored.info.text, *estimate, row.getColumn(1).getDouble()});
    }
  }
}

}  // namespace omnifit::report
