#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <utility>

namespace omnifit::core {

/// What a random stream is for; part of its key, so that two uses never share numbers.
/// Values are stable: they decide results, so append only.
enum class Purpose : std::uint64_t {
  kInitWeights = 1,
  kShuffle = 2,
  kAugment = 3,
  kSubnet = 4,
  kSplit = 5,
  kSynthetic = 6,
  kCollect = 7,
  kFit = 8,
  kSearch = 9,
  kRandomSearch = 10,
  kProfile = 11,
  kVerify = 12,
  kDropout = 13,
  kExport = 14,
  kTest = 1000,
};

/// Deterministic random numbers, equal on every platform and for any thread count.
///
/// A stream is keyed by *what* is drawn (`stream(seed, purpose, {epoch, step})`), never by a
/// thread. Generator: xoshiro256** seeded through SplitMix64; distributions are our own, because
/// the standard library's differ between implementations. Not thread-safe; cheap to copy.
class Rng {
 public:
  using result_type = std::uint64_t;

  /// The stream of `seed` for `purpose` and the given indices (epoch, step, individual …).
  static Rng stream(std::uint64_t seed, Purpose purpose,
                    std::initializer_list<std::uint64_t> indices = {});

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() { return next(); }

  /// 64 uniform bits.
  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  /// Uniform in [0, bound), without bias. @pre bound > 0
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [low, high); one correctly rounded operation, so equal on every platform.
  double uniform(double low, double high);
  /// Standard normal (Box–Muller, one value per call).
  double normal();
  /// True with the given probability.
  bool bernoulli(double prob) { return uniform() < prob; }

  /// Fisher–Yates.
  template <class T>
  void shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[static_cast<std::size_t>(below(i))]);
    }
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace omnifit::core
