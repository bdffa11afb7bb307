#pragma once

#include "supernet/network.hpp"

#include <vector>

namespace omnifit::supernet {

/// A plan and its folded weights, one entry per unit.
struct StaticParts {
  space::NetworkPlan plan;
  std::vector<UnitWeights> weights;
};

}  // namespace omnifit::supernet
