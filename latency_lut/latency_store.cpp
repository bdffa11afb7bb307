#include "latency_lut/latency_store.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/units.hpp"
#include "latency_lut/profile_config.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

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

/// The columns of a result, as bind_result and read_result take them.
constexpr const char* kResultColumns = "median_ms, p10_ms, p90_ms, n, failure, rounds, second_ms";
constexpr const char* kUpdateResult =
    "median_ms = excluded.median_ms, p10_ms = excluded.p10_ms, p90_ms = excluded.p90_ms, "
    "n = excluded.n, failure = excluded.failure, rounds = excluded.rounds, "
    "second_ms = excluded.second_ms";

/// Binds kResultColumns from parameter `first` on.
void bind_result(SQLite::Statement& statement, int first, const MeasurementResult& result) {
  if (const auto* measured = std::get_if<Measurement>(&result)) {
    statement.bind(first, measured->median_ms);
    statement.bind(first + 1, measured->p10_ms);
    statement.bind(first + 2, measured->p90_ms);
    statement.bind(first + 3, measured->n);
    statement.bind(first + 4);
    statement.bind(first + 5, measured->rounds);
    bind_optional(statement, first + 6, measured->second_ms);
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
  return Measurement{
      query.getColumn(first).getDouble(),     query.getColumn(first + 1).getDouble(),
      query.getColumn(first + 2).getDouble(), query.getColumn(first + 3).getInt(),
      query.getColumn(first + 5).getInt(),    read_optional(query.getColumn(first + 6))};
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
      "unit_overhead_ms) VALUES (?, ?, ?, 'lut_correction', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (stage_run_id, device_id) DO UPDATE "
      "SET space_id = excluded.space_id, protocol_hash = excluded.protocol_hash, "
      "kind = excluded.kind, scale = excluded.scale, offset_ms = excluded.offset_ms, "
      "num_fit = excluded.num_fit, num_check = excluded.num_check, mape = excluded.mape, "
      "within_10_percent = excluded.within_10_percent, kendall_tau = excluded.kendall_tau, "
      "r2 = excluded.r2, unit_overhead_ms = excluded.unit_overhead_ms");
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
  insert.exec();
}

std::vector<LatencyModelRow> get_latency_models(SQLite::Database& sql, std::int64_t stage_run_id) {
  SQLite::Statement query(
      sql,
      "SELECT device_id, space_id, scale, offset_ms, num_fit, num_check, mape, "
      "within_10_percent, kendall_tau, protocol_hash, r2, unit_overhead_ms FROM latency_model "
      "WHERE stage_run_id = ? ORDER BY id");
  query.bind(1, stage_run_id);
  std::vector<LatencyModelRow> rows;
  while (query.executeStep()) {
    LatencyModelRow& row = rows.emplace_back();
    row.stage_run_id = stage_run_id;
    row.device_id = query.getColumn(0).getInt64();
    row.space_id = query.getColumn(1).getInt64();
    row.correction = {query.getColumn(2).getDouble(), query.getColumn(3).getDouble(),
                      query.getColumn(4).getInt(), query.getColumn(11).getDouble()};
    row.check = {query.getColumn(5).getInt(), read_optional(query.getColumn(6)),
                 read_optional(query.getColumn(7)), read_optional(query.getColumn(8)),
                 read_optional(query.getColumn(10))};
    row.protocol_hash = query.getColumn(9).getString();
  }
  return rows;
}

std::optional<LatencyModelRow> get_latency_model(SQLite::Database& sql, std::int64_t stage_run_id) {
  const std::vector<LatencyModelRow> rows = get_latency_models(sql, stage_run_id);
  if (rows.empty()) return std::nullopt;
  return rows.front();
}

}  // namespace omnifit::latency
