#include "store/arch_rows.hpp"

#include "core/error.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/VariadicBind.h>

namespace omnifit::store {
namespace {

std::int64_t fetch_id(SQLite::Statement& query) {
  OMNIFIT_CHECK(query.executeStep(), "a row that was just stored is missing: {}", query.getQuery());
  return query.getColumn(0).getInt64();
}

template <class Integer>
void bind_optional(SQLite::Statement& statement, int index, const std::optional<Integer>& value) {
  if (value) {
    statement.bind(index, *value);
  } else {
    statement.bind(index);
  }
}

}  // namespace

std::int64_t put_space(SQLite::Database& sql, const SpaceRow& row) {
  SQLite::Statement insert(
      sql,
      "INSERT INTO space (fingerprint, name, version, family, yaml) VALUES (?, ?, ?, ?, ?) "
      "ON CONFLICT (fingerprint) DO NOTHING");
  SQLite::bind(insert, row.fingerprint, row.name, row.version, row.family, row.yaml);
  insert.exec();
  SQLite::Statement query(sql, "SELECT id FROM space WHERE fingerprint = ?");
  query.bind(1, row.fingerprint);
  return fetch_id(query);
}

std::optional<std::int64_t> find_space(SQLite::Database& sql, const std::string& fingerprint) {
  SQLite::Statement query(sql, "SELECT id FROM space WHERE fingerprint = ?");
  query.bind(1, fingerprint);
  if (!query.executeStep()) return std::nullopt;
  return query.getColumn(0).getInt64();
}

std::int64_t put_arch(SQLite::Database& sql, const ArchRow& row) {
  SQLite::Statement insert(sql,
                           "INSERT INTO arch (space_id, in_channels, num_classes, text, json, "
                           "resolution_px, macs, params, "
                           "peak_memory_bytes, model_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                           "ON CONFLICT (space_id, in_channels, num_classes, text) DO NOTHING");
  SQLite::bind(insert, row.space_id, row.in_channels, row.num_classes, row.text, row.json);
  bind_optional(insert, 6, row.resolution_px);
  bind_optional(insert, 7, row.macs);
  bind_optional(insert, 8, row.params);
  bind_optional(insert, 9, row.peak_memory_bytes);
  bind_optional(insert, 10, row.model_bytes);
  insert.exec();
  SQLite::Statement query(sql,
                          "SELECT id FROM arch WHERE space_id = ? AND in_channels = ? AND "
                          "num_classes = ? AND text = ?");
  SQLite::bind(query, row.space_id, row.in_channels, row.num_classes, row.text);
  return fetch_id(query);
}

}  // namespace omnifit::store
