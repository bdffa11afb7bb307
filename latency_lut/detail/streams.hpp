#pragma once

#include "core/rng.hpp"

#include <cstdint>

namespace omnifit::latency::detail {

/// What is drawn under Purpose::kProfile. Append only.
enum class Draw : std::uint64_t { kUnitOrder = 0, kNetworks = 1, kNetworkOrder = 2 };

inline core::Rng stream(std::uint64_t seed, Draw draw) {
  return core::Rng::stream(seed, core::Purpose::kProfile, {static_cast<std::uint64_t>(draw)});
}

}  // namespace omnifit::latency::detail
