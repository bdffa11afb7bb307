#include "space/detail/slot_units.hpp"

#include <algorithm>
#include <array>

namespace omnifit::space::detail {

namespace {

/// The arch with choice 0 everywhere but in `genes`, which take the digits of `index`.
Arch representative(const SearchSpace& space, const SlotUnits& table, std::size_t index) {
  std::array<std::uint8_t, Arch::kMaxGenes> choices{};
  for (std::size_t i = 0; i < table.genes.size(); ++i) {
    choices[static_cast<std::size_t>(table.genes[i])] =
        static_cast<std::uint8_t>(index / table.strides[i]);
    index %= table.strides[i];
  }
  return {space, std::span<const std::uint8_t>(choices).first(space.genes().size())};
}

SlotUnits units_of(const SearchSpace& space, const TaskIo& io, int slot_index, const Slot& slot) {
  SlotUnits table;
  table.genes = slot.genes;
  table.strides.resize(slot.genes.size());
  std::size_t size = 1;
  for (std::size_t i = slot.genes.size(); i-- > 0;) {
    table.strides[i] = size;
    size *= space.genes()[static_cast<std::size_t>(slot.genes[i])].choices.size();
  }
  table.units.resize(size);
  for (std::size_t index = 0; index < size; ++index) {
    const NetworkPlan plan = lower(space, representative(space, table, index), io);
    const auto unit = std::find_if(plan.units.begin(), plan.units.end(),
                                   [&](const PlanUnit& u) { return u.slot == slot_index; });
    if (unit != plan.units.end()) table.units[index] = unit->spec;
  }
  return table;
}

}  // namespace

std::vector<SlotUnits> slot_units(const SearchSpace& space, const TaskIo& io) {
  std::vector<SlotUnits> tables;
  const std::vector<Slot> all = slots(space, io);
  for (std::size_t i = 0; i < all.size(); ++i) {
    tables.push_back(units_of(space, io, static_cast<int>(i), all[i]));
  }
  return tables;
}

}  // namespace omnifit::space::detail
