#include "latency_lut/stored_devices.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

namespace omnifit::latency {
namespace {

std::int64_t count(SQLite::Database& sql, const char* query, std::int64_t device_id) {
  SQLite::Statement statement(sql, query);
  statement.bind(1, device_id);
  statement.executeStep();
  return statement.getColumn(0).getInt64();
}

std::vector<LatencyModelRow> models_of(SQLite::Database& sql, std::int64_t device_id) {
  SQLite::Statement statement(
      sql, "SELECT stage_run_id FROM latency_model WHERE device_id = ? ORDER BY id");
  statement.bind(1, device_id);
  std::vector<LatencyModelRow> models;
  while (statement.executeStep()) {
    for (LatencyModelRow& model : get_latency_models(sql, statement.getColumn(0).getInt64())) {
      if (model.device_id == device_id) models.push_back(std::move(model));
    }
  }
  return models;
}

}  // namespace

std::vector<StoredDevice> list_devices(SQLite::Database& sql) {
  SQLite::Statement ids(sql, "SELECT id FROM device ORDER BY id");
  std::vector<StoredDevice> devices;
  while (ids.executeStep()) {
    const std::int64_t id = ids.getColumn(0).getInt64();
    devices.push_back(
        {.id = id,
         .row = get_device(sql, id).value(),
         .num_units = count(
             sql,
             "SELECT count(*) FROM layer_latency WHERE device_id = ? AND median_ms IS NOT NULL",
             id),
         .num_networks = count(
             sql,
             "SELECT count(*) FROM network_latency WHERE device_id = ? AND median_ms IS NOT NULL",
             id),
         .models = models_of(sql, id)});
  }
  return devices;
}

const StoredDevice& find_device(const std::vector<StoredDevice>& devices, const std::string& name,
                                const std::string& project) {
  std::vector<const StoredDevice*> found;
  std::string known;
  for (const StoredDevice& device : devices) {
    const std::string fingerprint = core::hex64(device_fingerprint(device.row));
    if (device.row.name == name || (name.size() >= 4 && fingerprint.starts_with(name))) {
      found.push_back(&device);
    }
    known += fmt::format("{}{} {}", known.empty() ? "" : ", ", device.row.name, fingerprint);
  }
  if (found.size() == 1) return *found.front();
  throw ConfigError(fmt::format("{}: {} '{}' (there: {})", project,
                                found.empty() ? "no device" : "several devices are called", name,
                                known.empty() ? "none" : known));
}

}  // namespace omnifit::latency
