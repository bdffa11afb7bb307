#pragma once

#include "formats/folded_network.hpp"

#include <cstdint>

namespace omnifit::formats {

/// A network with random weights for any units, also a single one: for timing, where values do not
/// matter. Uniform, scaled by fan-in, so that activations neither vanish nor overflow.
FoldedNetwork random_network(const space::NetworkPlan& plan, std::uint64_t seed);

}  // namespace omnifit::formats
