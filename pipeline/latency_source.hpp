#pragma once

#include "latency_lut/latency_store.hpp"
#include "latency_lut/latency_table.hpp"
#include "pipeline/run_context.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace omnifit::pipeline {

/// A device of the job as it presents itself now. @throws EnvironmentError if it does not answer
latency::DeviceRow device_row(RunContext& context, const DeviceConfig& device);
/// Its row in the project file.
std::int64_t device_id(RunContext& context, const DeviceConfig& device);

/// What the finished profile stage knows of a device.
struct DeviceTable {
  std::string name;
  latency::LatencyTable table;
};
/// One per device of the job, the main one first. Reads the project file alone: the devices may be
/// away. @pre the profile stage has a result
std::vector<DeviceTable> latency_tables(RunContext& context);

/// Latency of one whole network on the job's main device: the stored measurement, or a new one that
/// is then stored.
/// @throws EnvironmentError if the device cannot run it
latency::Measurement measure_network(RunContext& context, const space::Arch& arch,
                                     latency::NetworkPurpose purpose);

}  // namespace omnifit::pipeline
