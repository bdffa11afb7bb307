#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <random>
#include <span>

namespace omnifit::test {

/// The random numbers of CPython's `random` module, in which the reference draws its subnets:
/// Mersenne Twister seeded from an integer's 32-bit limbs.
class PythonRandom {
 public:
  /// random.seed(seed)
  explicit PythonRandom(std::uint64_t seed) {
    StateSequence state(seed);
    engine_.seed(state);
  }

  /// random.getrandbits(32)
  std::uint32_t next() { return static_cast<std::uint32_t>(engine_()); }

  /// random.choice of a list of that length: its index. Draws just enough bits and tries again
  /// beyond the end.
  std::size_t choice(std::size_t count) {
    const int bits = static_cast<int>(std::bit_width(count));
    std::size_t drawn = count;
    while (drawn >= count) drawn = next() >> static_cast<unsigned>(32 - bits);
    return drawn;
  }

 private:
  static constexpr std::size_t kWords = 624;

  /// Hands the engine the state that CPython's init_by_array computes.
  class StateSequence {
   public:
    using result_type = std::uint32_t;

    explicit StateSequence(std::uint64_t seed) {
      const std::array<std::uint32_t, 2> limbs{static_cast<std::uint32_t>(seed),
                                               static_cast<std::uint32_t>(seed >> 32U)};
      const std::size_t length = limbs[1] == 0 ? 1 : 2;
      words_[0] = 19650218U;
      for (std::uint32_t i = 1; i < kWords; ++i) {
        words_[i] = 1812433253U * mixed(i - 1) + i;
      }
      std::size_t i = 1;
      std::size_t j = 0;
      for (std::size_t k = 0; k < kWords; ++k) {
        words_[i] =
            (words_[i] ^ (mixed(i - 1) * 1664525U)) + limbs[j] + static_cast<std::uint32_t>(j);
        step(i);
        j = (j + 1) % length;
      }
      for (std::size_t k = 0; k + 1 < kWords; ++k) {
        words_[i] = (words_[i] ^ (mixed(i - 1) * 1566083941U)) - static_cast<std::uint32_t>(i);
        step(i);
      }
      words_[0] = 0x80000000U;
    }

    template <class Iterator>
    void generate(Iterator first, Iterator last) {
      std::copy_n(words_.begin(), std::min<std::ptrdiff_t>(last - first, kWords), first);
    }

   private:
    [[nodiscard]] std::uint32_t mixed(std::size_t i) const {
      return words_[i] ^ (words_[i] >> 30U);
    }
    void step(std::size_t& i) {
      if (++i < kWords) return;
      words_[0] = words_[kWords - 1];
      i = 1;
    }

    std::array<std::uint32_t, kWords> words_{};
  };

  std::mt19937 engine_;
};

}  // namespace omnifit::test
