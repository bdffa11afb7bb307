#pragma once

#include "core/rng.hpp"

#include <cstdint>

namespace omnifit::latency::detail {

/// What is drawn under Purpose::kProfile. Append only.
enum class Draw : std::uint64_t { kNetworks = 1, kOrder = 3, kChecks = 4 };

inline core::Rng stream(std::uint64_t seed, Draw draw, std::uint64_t key = 0) {
  return core::Rng::stream(seed, core::Purpose::kProfile, {static_cast<std::uint64_t>(draw), key});
}

}  // namespace omnifit::latency::detail
