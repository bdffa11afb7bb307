#pragma once

#include "latency_lut/device.hpp"
#include "latency_lut/foreign_tables.hpp"
#include "store/database.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace omnifit::latency {

/// Queries of foreign_table and foreign_latency; run inside Database::read or Database::write.

/// The row of a device that is known only by what other systems measured on it.
DeviceRow imported_device(const std::string& name);

/// Id of the imported device of that name; nullopt if there is none.
std::optional<std::int64_t> find_imported_device(SQLite::Database& sql, const std::string& name);

/// Stores the tables of a device beside those it has; a table of the same name is replaced.
/// @throws StateError if the device has tables of another dialect.
void put_foreign_tables(SQLite::Database& sql, std::int64_t device_id, const ForeignTables& tables);

/// All tables of a device in the order of their names; nullopt if it has none.
/// @throws DataError naming a row that cannot be read.
std::optional<ForeignTables> get_foreign_tables(SQLite::Database& sql, std::int64_t device_id);

}  // namespace omnifit::latency
