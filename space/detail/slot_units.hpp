#pragma once

#include "space/lower.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace omnifit::space::detail {

/// Every unit that can run in one slot, as a dense table over the choice indices of the slot's
/// genes: the entry of an arch is at the sum of choice(genes[i]) * strides[i]. The last gene varies
/// fastest.
struct SlotUnits {
  std::vector<int> genes;
  std::vector<std::size_t> strides;
  std::vector<std::optional<LayerSpec>> units;  ///< nullopt where the slot is skipped
};

/// One table per slot, in slot order, found by lowering one representative arch per combination.
std::vector<SlotUnits> slot_units(const SearchSpace& space, const TaskIo& io);

}  // namespace omnifit::space::detail
