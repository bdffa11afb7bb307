#include "supernet/data/decode_memory.hpp"

#include <utility>

namespace omnifit::supernet {

DecodeMemory::Claim::Claim(Claim&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), size_bytes_(other.size_bytes_) {}

DecodeMemory::Claim& DecodeMemory::Claim::operator=(Claim&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  memory_ = std::exchange(other.memory_, nullptr);
  size_bytes_ = other.size_bytes_;
  return *this;
}

void DecodeMemory::Claim::give_back() {
  if (memory_ == nullptr) return;
  {
    const std::lock_guard lock(memory_->mutex_);
    memory_->used_bytes_ -= size_bytes_;
  }
  memory_->freed_.notify_all();
}

std::optional<DecodeMemory::Claim> DecodeMemory::claim(std::uint64_t size_bytes) {
  if (size_bytes > limit_bytes_) return std::nullopt;
  std::unique_lock lock(mutex_);
  freed_.wait(lock, [&] { return used_bytes_ <= limit_bytes_ - size_bytes; });
  used_bytes_ += size_bytes;
  return Claim(*this, size_bytes);
}

}  // namespace omnifit::supernet
