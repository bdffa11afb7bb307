#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

namespace omnifit::supernet {

/// Memory that pictures being decoded at once may take together. Thread-safe.
class DecodeMemory {
 public:
  /// A part of it, given back at the end.
  class Claim {
   public:
    Claim(DecodeMemory& memory, std::uint64_t size_bytes)
        : memory_(&memory), size_bytes_(size_bytes) {}
    Claim(Claim&& other) noexcept;
    Claim& operator=(Claim&& other) noexcept;
    ~Claim() { give_back(); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

   private:
    void give_back();

    DecodeMemory* memory_;  ///< null after a move
    std::uint64_t size_bytes_;
  };

  explicit DecodeMemory(std::uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  [[nodiscard]] std::uint64_t limit_bytes() const { return limit_bytes_; }

  /// Waits until so much is free; nothing at once if it never can be. A thread that holds one claim
  /// must not ask for a second.
  std::optional<Claim> claim(std::uint64_t size_bytes);

 private:
  std::uint64_t limit_bytes_;
  std::uint64_t used_bytes_ = 0;
  std::mutex mutex_;
  std::condition_variable freed_;
};

}  // namespace omnifit::supernet
