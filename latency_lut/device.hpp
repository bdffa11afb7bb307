#pragma once

#include <cstdint>
#include <string>

namespace omnifit::latency {

/// What a latency was measured on. Two devices are the same only if every field is.
struct DeviceRow {
  std::string name;     ///< the user's
  std::string runtime;  ///< "libtorch"
  int threads = 1;      ///< of one inference
  std::string precision = "float32";
  std::string description;  ///< JSON of LayerTimer::describe: CPU model, flags, library versions
  friend bool operator==(const DeviceRow&, const DeviceRow&) = default;
};

/// Stable hash of all fields.
std::uint64_t device_fingerprint(const DeviceRow& device);

}  // namespace omnifit::latency
