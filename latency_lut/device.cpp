#include "latency_lut/device.hpp"

#include "core/hash.hpp"

#include <fmt/format.h>

namespace omnifit::latency {

std::uint64_t device_fingerprint(const DeviceRow& device) {
  // Lengths in front keep neighbouring fields apart whatever they hold.
  return core::stable_hash(fmt::format("{}:{} {}:{} {} {}:{} {}:{}", device.name.size(),
                                       device.name, device.runtime.size(), device.runtime,
                                       device.threads, device.precision.size(), device.precision,
                                       device.description.size(), device.description));
}

}  // namespace omnifit::latency
