#include "latency_lut/latency_store.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/units.hpp"
#include "latency_lut/profile_config.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace omnifit::latency {
namespace {

/// The spec's fields as the columns of layer_latency; those a kind does not have stay empty.
struct SpecColumns {
  int in_channels = 0;
  std::optional<int> mid_channels;
  int out_channels = 0;
  std::optional<int> kernel_size;
  std::optional<int> stride;
  int in_px = 1;
  std::optional<std::string> act;
  std::optional<int> se_channels;
};

SpecColumns columns_of(const space::LayerSpec& spec) {
  return std::visit(
      space::Overloaded{
          [](const space::ConvSpec& s) {
            return SpecColumns{s.in_channels, {},      s.out_channels,         s.kernel_size,
                               s.stride,      s.in_px, space::act_name(s.act), {}};
          },
          [](const space::MbConvSpec& s) {
            return SpecColumns{s.in_channels,          s.mid_channels, s.out_channels,
                               s.kernel_size,          s.stride,       s.in_px,
                               space::act_name(s.act), s.se_channels};
          },
          [](const space::PoolSpec& s) {
            return SpecColumns{s.channels, {}, s.channels, {}, {}, s.in_px, {}, {}};
          },
          [](const space::LinearSpec& s) {
            return SpecColumns{s.in_features, {}, s.out_features, {}, {}, 1, {}, {}};
          },
          [](const space::BottleneckSpec& s) {
            return SpecColumns{s.in_channels, s.mid_channels, s.out_channels,         s.kernel_size,
                               s.stride,      s.in_px,        space::act_name(s.act), {}};
          },
          [](const space::MaxPoolSpec& s) {
            return SpecColumns{s.channels, {},      s.channels, s.kernel_size,
                               s.stride,   s.in_px, {},         {}};
          },
      },
      spec);
}

template <class T>
void bind_optional(SQLite::Statement& statement, int index, const std::optional<T>& value) {
  if (value) {
    statement.bind(index, *value);
  } else {
    statement.bind(index);
  }
}

std::string timings_json(const std::vector<Timing>& timings) {
  nlohmann::json json = nlohmann::json::array();
  for (const Timing& timing : timings) {
    json.push_back({timing.median_ms, timing.p10_ms, timing.p90_ms, timing.n, timing.disturbed});
    if (timing.reference_ms > 0.0) json.back().push_back(timing.reference_ms);
  }
  return json.dump();
}

/// @throws DataError if `text` is nothing that timings_json wrote.
std::vector<Timing> read_timings(const std::string& text) {
  std::vector<Timing> timings;
  try {
    for (const nlohmann::json& row : nlohmann::json::parse(text)) {
      timings.push_back({row.at(0).get<double>(), row.at(1).get<double>(), row.at(2).get<double>(),
                         row.at(3).get<int>(), row.at(4).get<bool>(),
                         row.size() > 5 ? row.at(5).get<double>() : 0.0});
    }
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("a latency's timings cannot be read: {}", error.what()));
  }
  if (timings.empty()) throw DataError("a latency has no timings");
  return timings;
}

/// The columns of a result, as bind_result and read_result take them.
constexpr const char* kResultColumns = "median_ms, p10_ms, p90_ms, n, failure, rounds, timings";
constexpr const char* kUpdateResult =
    "median_ms = excluded.median_ms, p10_ms = excluded.p10_ms, p90_ms = excluded.p90_ms, "
    "n = excluded.n, failure = excluded.failure, rounds = excluded.rounds, "
    "timings = excluded.timings";

/// Binds kResultColumns from parameter `first` on.
void bind_result(SQLite::Statement& statement, int first, const MeasurementResult& result) {
  if (const auto* measured = std::get_if<Measurement>(&result)) {
    statement.bind(first, measured->median_ms);
    statement.bind(first + 1, measured->p10_ms);
    statement.bind(first + 2, measured->p90_ms);
    statement.bind(first + 3, measured->n);
    statement.bind(first + 4);
    statement.bind(first + 5, measured->rounds);
    statement.bind(first + 6, timings_json(measured->timings));
  } else {
    for (int i = 0; i < 4; ++i) statement.bind(first + i);
    statement.bind(first + 4, std::get<MeasurementFailure>(result).reason);
    statement.bind(first + 5, 1);
    statement.bind(first + 6);
  }
}

std::optional<double> read_optional(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return column.getDouble();
}

/// Reads kResultColumns from column `first` on.
MeasurementResult read_result(SQLite::Statement& query, int first) {
  const SQLite::Column failure = query.getColumn(first + 4);
  if (!failure.isNull()) return MeasurementFailure{failure.getString()};
  Measurement measured{
      query.getColumn(first).getDouble(),     query.getColumn(first + 1).getDouble(),
      query.getColumn(first + 2).getDouble(), query.getColumn(first + 3).getInt(),
      query.getColumn(first + 5).getInt(),    {}};
  const SQLite::Column timings = query.getColumn(first + 6);
  if (timings.isNull()) {
    measured.timings = {{measured.median_ms, measured.p10_ms, measured.p90_ms, measured.n}};
  } else {
    measured.timings = read_timings(timings.getString());
  }
  return measured;
}

}  // namespace

std::int64_t put_device(SQLite::Database& sql, const DeviceRow& device) {
  const std::string fingerprint = core::hex64(device_fingerprint(device));
  SQLite::Statement insert(sql,
                           "INSERT INTO device (name, runtime, threads, precision, description, "
                           "fingerprint) VALUES (?, ?, ?, ?, ?, ?) "
                           "ON CONFLICT (fingerprint) DO NOTHING");
  insert.bind(1, device.name);
  insert.bind(2, device.runtime);
  insert.bind(3, device.threads);
  insert.bind(4, device.precision);
  insert.bind(5, device.description);
  insert.bind(6, fingerprint);
  insert.exec();
  SQLite::Statement query(sql, "SELECT id FROM device WHERE fingerprint = ?");
  query.bind(1, fingerprint);
  OMNIFIT_CHECK(query.executeStep(), "device {} is missing after it was stored", device.name);
  return query.getColumn(0).getInt64();
}

std::optional<DeviceRow> get_device(SQLite::Database& sql, std::int64_t device_id) {
  SQLite::Statement query(
      sql, "SELECT name, runtime, threads, precision, description FROM device WHERE id = ?");
  query.bind(1, device_id);
  if (!query.executeStep()) return std::nullopt;
  return DeviceRow{query.getColumn(0).getString(), query.getColumn(1).getString(),
                   query.getColumn(2).getInt(), query.getColumn(3).getString(),
                   query.getColumn(4).getString()};
}

void put_layer_latency(SQLite::Database& sql, std::int64_t device_id, const Protocol& protocol,
                       const LayerLatencyRow& row) {
  SQLite::Statement insert(
      sql,
      fmt::format(
          "INSERT INTO layer_latency (device_id, protocol_hash, spec, kind, in_channels, "
          "mid_channels, out_channels, kernel_size, stride, in_px, act, se_channels, source, "
          "protocol, {}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
          "ON CONFLICT (device_id, protocol_hash, source, spec) DO UPDATE SET {}",
          kResultColumns, kUpdateResult));
  const SpecColumns columns = columns_of(row.spec);
  insert.bind(1, device_id);
  insert.bind(2, protocol_hash(protocol));
  insert.bind(3, space::spec_text(row.spec));
  insert.bind(4, space::spec_kind(row.spec));
  insert.bind(5, columns.in_channels);
  bind_optional(insert, 6, columns.mid_channels);
  insert.bind(7, columns.out_channels);
  bind_optional(insert, 8, columns.kernel_size);
  bind_optional(insert, 9, columns.stride);
  insert.bind(10, columns.in_px);
  bind_optional(insert, 11, columns.act);
  bind_optional(insert, 12, columns.se_channels);
  insert.bind(13, kMeasuredSource);
  insert.bind(14, protocol_json(protocol));
  bind_result(insert, 15, row.result);
  insert.exec();
}

std::vector<LayerLatencyRow> get_layer_latencies(SQLite::Database& sql, std::int64_t device_id,
                                                 const std::string& protocol_hash) {
  SQLite::Statement query(sql,
                          fmt::format("SELECT id, spec, {} FROM layer_latency WHERE device_id = ? "
                                      "AND protocol_hash = ? AND source = ?",
                                      kResultColumns));
  query.bind(1, device_id);
  query.bind(2, protocol_hash);
  query.bind(3, kMeasuredSource);
  std::vector<LayerLatencyRow> rows;
  while (query.executeStep()) {
    try {
      rows.push_back({space::parse_spec(query.getColumn(1).getString()), read_result(query, 2)});
    } catch (const DataError& error) {
      throw DataError(
          fmt::format("layer_latency row {}: {}", query.getColumn(0).getInt64(), error.what()));
    }
  }
  std::sort(rows.begin(), rows.end(),
            [](const LayerLatencyRow& a, const LayerLatencyRow& b) { return a.spec < b.spec; });
  return rows;
}

void delete_layer_latencies(SQLite::Database& sql, std::int64_t device_id,
                            const std::string& protocol_hash) {
  SQLite::Statement remove(
      sql, "DELETE FROM layer_latency WHERE device_id = ? AND protocol_hash = ? AND source = ?");
  remove.bind(1, device_id);
  remove.bind(2, protocol_hash);
  remove.bind(3, kMeasuredSource);
  remove.exec();
}

const std::string& network_purpose_name(NetworkPurpose purpose) {
  static const core::EnumTable<NetworkPurpose> table = {
      {NetworkPurpose::kCorrection, "correction"}, {NetworkPurpose::kCheck, "check"},
      {NetworkPurpose::kWinner, "winner"},         {NetworkPurpose::kEval, "eval"},
      {NetworkPurpose::kImported, "imported"},
  };
  return core::enum_name(table, purpose);
}

void put_network_latency(SQLite::Database& sql, std::int64_t device_id, std::int64_t arch_id,
                         const std::string& protocol_hash, NetworkPurpose purpose,
                         const MeasurementResult& result) {
  SQLite::Statement insert(
      sql, fmt::format(
               "INSERT INTO network_latency (device_id, arch_id, protocol_hash, purpose, {}, "
               "measured_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device_id, "
               "arch_id, protocol_hash, purpose) DO UPDATE SET {}, measured_at = "
               "excluded.measured_at",
               kResultColumns, kUpdateResult));
  insert.bind(1, device_id);
  insert.bind(2, arch_id);
  insert.bind(3, protocol_hash);
  insert.bind(4, network_purpose_name(purpose));
  bind_result(insert, 5, result);
  insert.bind(12, core::utc_now());
  insert.exec();
}

std::optional<MeasurementResult> get_network_latency(SQLite::Database& sql, std::int64_t device_id,
                                                     std::int64_t arch_id,
                                                     const std::string& protocol_hash,
                                                     NetworkPurpose purpose) {
  SQLite::Statement query(sql, fmt::format("SELECT {} FROM network_latency WHERE device_id = ? AND "
                                           "arch_id = ? AND protocol_hash = ? AND purpose = ?",
                                           kResultColumns));
  query.bind(1, device_id);
  query.bind(2, arch_id);
  query.bind(3, protocol_hash);
  query.bind(4, network_purpose_name(purpose));
  if (!query.executeStep()) return std::nullopt;
  return read_result(query, 0);
}

double get_usual_reference_ms(SQLite::Database& sql, std::int64_t device_id, std::int64_t space_id,
                              const std::string& protocol_hash) {
  SQLite::Statement query(
      sql,
      "SELECT timings FROM network_latency JOIN arch ON arch.id = arch_id WHERE device_id = ? AND "
      "space_id = ? AND protocol_hash = ? AND purpose IN ('correction', 'check') AND "
      "timings IS NOT NULL");
  query.bind(1, device_id);
  query.bind(2, space_id);
  query.bind(3, protocol_hash);
  std::vector<double> reference_ms;
  while (query.executeStep()) {
    for (const Timing& timing : read_timings(query.getColumn(0).getString())) {
      if (timing.reference_ms > 0.0) reference_ms.push_back(timing.reference_ms);
    }
  }
  std::ranges::sort(reference_ms);
  return usual_reference_ms(reference_ms);
}

void delete_network_latencies(SQLite::Database& sql, std::int64_t device_id,
                              const std::string& protocol_hash, NetworkPurpose purpose) {
  SQLite::Statement remove(
      sql, "DELETE FROM network_latency WHERE device_id = ? AND protocol_hash = ? AND purpose = ?");
  remove.bind(1, device_id);
  remove.bind(2, protocol_hash);
  remove.bind(3, network_purpose_name(purpose));
  remove.exec();
}

void put_latency_model(SQLite::Database& sql, const LatencyModelRow& row) {
  SQLite::Statement insert(
      sql,
      "INSERT INTO latency_model (stage_run_id, device_id, space_id, kind, scale, offset_ms, "
      "num_fit, num_check, mape, within_10_percent, kendall_tau, protocol_hash, r2, "
      "unit_overhead_ms, weight_ms_per_mb, deviation_scale) "
      "VALUES (?, ?, ?, 'lut_correction', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (stage_run_id, device_id) DO UPDATE "
      "SET space_id = excluded.space_id, protocol_hash = excluded.protocol_hash, "
      "kind = excluded.kind, scale = excluded.scale, offset_ms = excluded.offset_ms, "
      "num_fit = excluded.num_fit, num_check = excluded.num_check, mape = excluded.mape, "
      "within_10_percent = excluded.within_10_percent, kendall_tau = excluded.kendall_tau, "
      "r2 = excluded.r2, unit_overhead_ms = excluded.unit_overhead_ms, "
      "weight_ms_per_mb = excluded.weight_ms_per_mb, deviation_scale = excluded.deviation_scale");
  insert.bind(1, row.stage_run_id);
  insert.bind(2, row.device_id);
  insert.bind(3, row.space_id);
  insert.bind(4, row.correction.scale);
  insert.bind(5, row.correction.offset_ms);
  insert.bind(6, row.correction.num_fit);
  insert.bind(7, row.check.num_check);
  bind_optional(insert, 8, row.check.mape);
  bind_optional(insert, 9, row.check.within_10_percent);
  bind_optional(insert, 10, row.check.kendall_tau);
  insert.bind(11, row.protocol_hash);
  bind_optional(insert, 12, row.check.r2);
  insert.bind(13, row.correction.unit_overhead_ms);
  insert.bind(14, row.correction.weight_ms_per_mb);
  insert.bind(15, row.correction.deviation_scale);
  insert.exec();
}

std::vector<LatencyModelRow> get_latency_models(SQLite::Database& sql, std::int64_t stage_run_id) {
  SQLite::Statement query(
      sql,
      "SELECT device_id, space_id, scale, offset_ms, num_fit, num_check, mape, "
      "within_10_percent, kendall_tau, protocol_hash, r2, unit_overhead_ms, "
      "weight_ms_per_mb, count(e.spec), avg(e.deviation_ms / e.time_ms), deviation_scale FROM "
      "latency_model m LEFT "
      "JOIN layer_estimate e ON "
      "e.latency_model_id = m.id WHERE stage_run_id = ? GROUP BY m.id ORDER BY m.id");
  query.bind(1, stage_run_id);
  std::vector<LatencyModelRow> rows;
  while (query.executeStep()) {
    LatencyModelRow& row = rows.emplace_back();
    row.stage_run_id = stage_run_id;
    row.device_id = query.getColumn(0).getInt64();
    row.space_id = query.getColumn(1).getInt64();
    row.correction = {query.getColumn(2).getDouble(),  query.getColumn(3).getDouble(),
                      query.getColumn(4).getInt(),     query.getColumn(11).getDouble(),
                      query.getColumn(12).getDouble(), query.getColumn(15).getDouble()};
    row.check = {query.getColumn(5).getInt(), read_optional(query.getColumn(6)),
                 read_optional(query.getColumn(7)), read_optional(query.getColumn(8)),
                 read_optional(query.getColumn(10))};
    row.protocol_hash = query.getColumn(9).getString();
    row.num_estimated = query.getColumn(13).getInt64();
    row.mean_rel_deviation = read_optional(query.getColumn(14));
  }
  return rows;
}

void put_layer_estimates(SQLite::Database& sql, std::int64_t stage_run_id, std::int64_t device_id,
                         const EstimatedUnits& estimates) {
  SQLite::Statement model(sql,
                          "SELECT id FROM latency_model WHERE stage_run_id = ? AND device_id = ?");
  model.bind(1, stage_run_id);
  model.bind(2, device_id);
  OMNIFIT_CHECK(model.executeStep(), "stage run {} has no latency model of device {}", stage_run_id,
                device_id);
  const std::int64_t model_id = model.getColumn(0).getInt64();
  SQLite::Statement remove(sql, "DELETE FROM layer_estimate WHERE latency_model_id = ?");
  remove.bind(1, model_id);
  remove.exec();
  SQLite::Statement insert(sql,
                           "INSERT INTO layer_estimate (latency_model_id, spec, time_ms, "
                           "deviation_ms) VALUES (?, ?, ?, ?)");
  for (const auto& [spec, estimate] : estimates) {
    insert.bind(1, model_id);
    insert.bind(2, space::spec_text(spec));
    insert.bind(3, estimate.time_ms);
    insert.bind(4, estimate.deviation_ms);
    insert.exec();
    insert.reset();
  }
}

EstimatedUnits get_layer_estimates(SQLite::Database& sql, std::int64_t stage_run_id,
                                   std::int64_t device_id) {
  SQLite::Statement query(sql,
                          "SELECT e.spec, e.time_ms, e.deviation_ms FROM layer_estimate e JOIN "
                          "latency_model m ON m.id = e.latency_model_id WHERE m.stage_run_id = ? "
                          "AND m.device_id = ?");
  query.bind(1, stage_run_id);
  query.bind(2, device_id);
  EstimatedUnits estimates;
  while (query.executeStep()) {
    const std::string text = query.getColumn(0).getString();
    const LatencyEstimate estimate{query.getColumn(1).getDouble(), query.getColumn(2).getDouble()};
    if (!(estimate.time_ms > 0.0) || !(estimate.deviation_ms >= 0.0)) {
      throw DataError(fmt::format("layer_estimate {}: found {} ms with a deviation of {} ms", text,
                                  estimate.time_ms, estimate.deviation_ms));
    }
    try {
      estimates.emplace(space::parse_spec(text), estimate);
    } catch (const DataError& error) {
      throw DataError(fmt::format("layer_estimate {}: {}", text, error.what()));
    }
  }
  return estimates;
}

std::optional<LatencyModelRow> get_latency_model(SQLite::Database& sql, std::int64_t stage_run_id) {
  const std::vector<LatencyModelRow> rows = get_latency_models(sql, stage_run_id);
  if (rows.empty()) return std::nullopt;
  return rows.front();
}

}  // namespace omnifit::latency
