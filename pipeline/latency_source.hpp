#pragma once

#include "latency_lut/latency_store.hpp"
#include "pipeline/run_context.hpp"

#include <cstdint>
#include <optional>

namespace omnifit::pipeline {

/// The job's device as it presents itself now.
latency::DeviceRow device_row(RunContext& context);
/// Its row in the project file.
std::int64_t device_id(RunContext& context);

/// Latency of one whole network on the job's device: the stored measurement, or a new one that is
/// then stored.
/// @throws EnvironmentError if the device cannot run it
latency::Measurement measure_network(RunContext& context, const space::Arch& arch,
                                     latency::NetworkPurpose purpose);

}  // namespace omnifit::pipeline
