#include "latency_lut/foreign_store.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace omnifit::latency {
namespace {

using formats::ForeignLatency;
using formats::ForeignLatencyTable;
using formats::LatencyDialect;
using Json = nlohmann::ordered_json;

std::string fields_text(const ForeignLatency& entry) {
  Json json = Json::object();
  for (const ForeignLatency::Field& field : entry.fields) json[field.name] = field.text;
  return json.dump();
}

std::vector<ForeignLatency::Field> parse_fields(const std::string& text, const std::string& row) {
  const Json json = Json::parse(text, nullptr, false);
  std::vector<ForeignLatency::Field> fields;
  if (!json.is_object()) throw DataError(row + ": the fields are not a JSON object");
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string()) throw DataError(fmt::format("{}: {} is not a text", row, name));
    fields.push_back({name, value.get<std::string>()});
  }
  return fields;
}

LatencyDialect parse_dialect(const std::string& name) {
  for (const LatencyDialect dialect : formats::latency_dialects()) {
    if (formats::latency_dialect_name(dialect) == name) return dialect;
  }
  throw DataError(fmt::format("foreign_table: unknown dialect '{}'", name));
}

void check_dialect(SQLite::Database& sql, std::int64_t device_id, const std::string& dialect) {
  SQLite::Statement query(
      sql, "SELECT name, dialect FROM foreign_table WHERE device_id = ? AND dialect <> ?");
  query.bind(1, device_id);
  query.bind(2, dialect);
  if (!query.executeStep()) return;
  throw StateError(fmt::format(
      "the device has table '{}' in dialect '{}', which does not go with '{}'; give the new tables "
      "a device of their own",
      query.getColumn(0).getString(), query.getColumn(1).getString(), dialect));
}

void put_table(SQLite::Database& sql, std::int64_t device_id, const std::string& dialect,
               const ForeignLatencyTable& table) {
  SQLite::Statement remove(sql, "DELETE FROM foreign_table WHERE device_id = ? AND name = ?");
  remove.bind(1, device_id);
  remove.bind(2, table.name);
  remove.exec();
  SQLite::Statement insert(sql,
                           "INSERT INTO foreign_table (device_id, name, dialect) VALUES (?, ?, ?)");
  insert.bind(1, device_id);
  insert.bind(2, table.name);
  insert.bind(3, dialect);
  insert.exec();
  const std::int64_t table_id = sql.getLastInsertRowid();
  SQLite::Statement row(sql,
                        "INSERT INTO foreign_latency (table_id, position, key, mean_ms, fields) "
                        "VALUES (?, ?, ?, ?, ?)");
  for (std::size_t i = 0; i < table.entries.size(); ++i) {
    const ForeignLatency& entry = table.entries[i];
    row.bind(1, table_id);
    row.bind(2, static_cast<std::int64_t>(i));
    row.bind(3, entry.key);
    row.bind(4, entry.mean_ms);
    row.bind(5, fields_text(entry));
    row.exec();
    row.reset();
  }
}

std::vector<ForeignLatency> get_entries(SQLite::Database& sql, std::int64_t table_id,
                                        const std::string& name) {
  SQLite::Statement query(
      sql, "SELECT key, mean_ms, fields FROM foreign_latency WHERE table_id = ? ORDER BY position");
  query.bind(1, table_id);
  std::vector<ForeignLatency> entries;
  while (query.executeStep()) {
    ForeignLatency& entry = entries.emplace_back();
    entry.key = query.getColumn(0).getString();
    entry.mean_ms = query.getColumn(1).getDouble();
    entry.fields = parse_fields(query.getColumn(2).getString(),
                                fmt::format("foreign_latency {}: {}", name, entry.key));
    if (!(entry.mean_ms > 0.0)) {
      throw DataError(fmt::format("foreign_latency {}: {}: mean must be positive, found {}", name,
                                  entry.key, entry.mean_ms));
    }
  }
  return entries;
}

}  // namespace

DeviceRow imported_device(const std::string& name) {
  DeviceRow row;
  row.name = name;
  row.runtime = "imported";
  row.description = R"({"source":"imported"})";
  return row;
}

std::optional<std::int64_t> find_imported_device(SQLite::Database& sql, const std::string& name) {
  SQLite::Statement query(sql, "SELECT id FROM device WHERE fingerprint = ?");
  query.bind(1, core::hex64(device_fingerprint(imported_device(name))));
  if (!query.executeStep()) return std::nullopt;
  return query.getColumn(0).getInt64();
}

void put_foreign_tables(SQLite::Database& sql, std::int64_t device_id,
                        const ForeignTables& tables) {
  const std::string& dialect = formats::latency_dialect_name(tables.dialect());
  check_dialect(sql, device_id, dialect);
  for (const ForeignLatencyTable& table : tables.tables()) {
    put_table(sql, device_id, dialect, table);
  }
}

std::optional<ForeignTables> get_foreign_tables(SQLite::Database& sql, std::int64_t device_id) {
  SQLite::Statement query(
      sql, "SELECT id, name, dialect FROM foreign_table WHERE device_id = ? ORDER BY name");
  query.bind(1, device_id);
  std::vector<ForeignLatencyTable> tables;
  std::string dialect;
  while (query.executeStep()) {
    const std::string name = query.getColumn(1).getString();
    dialect = query.getColumn(2).getString();
    tables.push_back({name, get_entries(sql, query.getColumn(0).getInt64(), name)});
  }
  if (tables.empty()) return std::nullopt;
  return ForeignTables(std::move(tables), parse_dialect(dialect));
}

}  // namespace omnifit::latency
