#pragma once

#include "space/arch.hpp"
#include "space/plan.hpp"

#include <string>
#include <variant>

namespace omnifit::space {

/// Why a plan is no subnet of a space.
struct NotInSpace {
  /// One line, without the unit's name: "k=9 (the space has k=3, 5, 7)".
  std::string reason;
  /// First unit of the plan that no subnet has at its place; -1 where the reason is not a unit's.
  int unit = -1;
  /// How many leading units of the plan some subnet has, which tells how near the space is.
  int matched_units = 0;
};

/// Inverse of lower(): the arch whose plan equals `plan` unit by unit, whatever slots `plan` names.
/// Where several archs give the same network (widths that round alike), the one with the lowest
/// choice indices in slot order. Work is a few plans per block. Thread-safe.
std::variant<Arch, NotInSpace> find_arch(const SearchSpace& space, const NetworkPlan& plan);

}  // namespace omnifit::space
