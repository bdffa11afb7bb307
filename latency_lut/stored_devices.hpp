#pragma once

#include "latency_lut/latency_store.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace omnifit::latency {

/// A device of a project file with what was measured on it.
struct StoredDevice {
  std::int64_t id = 0;
  DeviceRow row;
  std::int64_t num_units = 0;     ///< units with a number
  std::int64_t num_networks = 0;  ///< whole networks with a number
  std::vector<LatencyModelRow> models;
};

/// Every device, in the order it was added. Call inside Database::read.
std::vector<StoredDevice> list_devices(SQLite::Database& sql);

/// The one of that name, or whose fingerprint begins so. `project` is for the message.
/// @throws ConfigError listing the devices if there is none or several have the name.
const StoredDevice& find_device(const std::vector<StoredDevice>& devices, const std::string& name,
                                const std::string& project);

}  // namespace omnifit::latency
