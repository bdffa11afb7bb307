#pragma once

#include "formats/network_description.hpp"

#include <string>
#include <vector>

namespace omnifit::formats::detail {

/// The kind of network of the reference that the plan can only be.
NetworkFamily family_of(const space::NetworkPlan& plan);

/// Names of the units in the reference's network, blocks counted from 0.
/// @throws DataError "unit 3 ('mbconv …'): …" naming the first unit that the reference does not
/// have at that place.
std::vector<std::string> reference_names(NetworkFamily family, const space::NetworkPlan& plan);

}  // namespace omnifit::formats::detail
