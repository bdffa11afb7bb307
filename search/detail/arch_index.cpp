#include "search/detail/arch_index.hpp"

#include "core/error.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace omnifit::search::detail {
namespace {

constexpr std::size_t kFirstSlots = 1024;

std::uint64_t hash_of(const Choices& choices) {
  std::array<std::uint64_t, (sizeof(Choices) + 7) / 8> words{};
  std::memcpy(words.data(), choices.data(), choices.size());
  std::uint64_t hash = 0;
  for (const std::uint64_t word : words) {
    hash = std::rotl(hash, 29) ^ word;
    hash *= 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 32U;
  }
  return hash * 0xd6e8feb86659fd93ULL;
}

std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32U); }

}  // namespace

ArchIndex::ArchIndex() : slots_(kFirstSlots) {}

std::size_t ArchIndex::slot_of(const Choices& choices, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  const std::uint32_t tag = tag_of(hash);
  std::size_t at = (hash >> 20U) & mask;
  while (slots_[at].number != kFree) {
    if (slots_[at].tag == tag && members_[slots_[at].number] == choices) break;
    at = (at + 1) & mask;
  }
  return at;
}

std::pair<std::size_t, bool> ArchIndex::insert(const Choices& choices) {
  const std::uint64_t hash = hash_of(choices);
  std::size_t at = slot_of(choices, hash);
  if (slots_[at].number != kFree) return {slots_[at].number, false};
  OMNIFIT_CHECK(members_.size() < kFree, "more archs than an index holds");
  if (2 * (members_.size() + 1) > slots_.size()) {
    grow();
    at = slot_of(choices, hash);
  }
  slots_[at] = {tag_of(hash), static_cast<std::uint32_t>(members_.size())};
  members_.push_back(choices);
  return {members_.size() - 1, true};
}

std::optional<std::size_t> ArchIndex::find(const Choices& choices) const {
  const Slot& slot = slots_[slot_of(choices, hash_of(choices))];
  return slot.number == kFree ? std::nullopt : std::optional<std::size_t>(slot.number);
}

void ArchIndex::grow() {
  slots_.assign(2 * slots_.size(), {});
  for (std::size_t number = 0; number < members_.size(); ++number) {
    const std::uint64_t hash = hash_of(members_[number]);
    slots_[slot_of(members_[number], hash)] = {tag_of(hash), static_cast<std::uint32_t>(number)};
  }
}

}  // namespace omnifit::search::detail
