#pragma once

#include "search/detail/genetics.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace omnifit::search::detail {

/// Numbers archs in the order in which they come and finds them again: one flat table, because a
/// search asks for known archs several times as often as it meets new ones.
class ArchIndex {
 public:
  ArchIndex();

  /// @return the arch's number, and whether it is new. @pre the choices are canonical
  std::pair<std::size_t, bool> insert(const Choices& choices);
  [[nodiscard]] std::optional<std::size_t> find(const Choices& choices) const;
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] const Choices& operator[](std::size_t number) const { return members_[number]; }

 private:
  static constexpr std::uint32_t kFree = 0xffffffffU;
  struct Slot {
    std::uint32_t tag = 0;  ///< upper half of the hash: most others are told apart by it
    std::uint32_t number = kFree;
  };

  /// Where the arch is, or the free slot where it belongs.
  [[nodiscard]] std::size_t slot_of(const Choices& choices, std::uint64_t hash) const;
  void grow();

  std::vector<Choices> members_;
  std::vector<Slot> slots_;  ///< a power of two, at most half of them taken
};

}  // namespace omnifit::search::detail
