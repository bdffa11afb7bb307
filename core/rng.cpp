#include "core/rng.hpp"

#include "core/error.hpp"

#include <cmath>

namespace omnifit::core {
namespace {

constexpr std::uint64_t kGoldenGamma = 0x9e3779b97f4a7c15ULL;

/// Finaliser of SplitMix64: a bijection in which every input bit reaches every output bit.
constexpr std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

/// Folds one more word of the key in; order matters, so {1, 2} and {2, 1} are different streams.
constexpr std::uint64_t absorb(std::uint64_t key, std::uint64_t word) {
  return mix((key + kGoldenGamma) ^ mix(word + kGoldenGamma));
}

// The C library's log and cos differ in the last bit between versions and even between CPUs of one
// machine type. These two use only correctly rounded operations, each written out (std::fma), so
// the compiler has nothing to contract and every platform gives the same bits.

/// Natural logarithm of x in (0, 1], error below 2 ulp, through artanh's series.
double portable_log(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // in [0.5, 1)
  if (mantissa < 0.70710678118654752440) {
    mantissa *= 2.0;
    exponent -= 1;
  }
  const double s = (mantissa - 1.0) / (mantissa + 1.0);  // |s| <= 0.1716
  const double s2 = s * s;
  double series = 0.0;
  for (int k = 23; k >= 1; k -= 2) series = std::fma(series, s2, 1.0 / k);
  constexpr double kLn2 = 0.69314718055994530942;
  return std::fma(static_cast<double>(exponent), kLn2, 2.0 * s * series);
}

/// cos(2 pi u) for u in [0, 1): the nearest quarter turn is taken off exactly, the rest is a
/// series.
double portable_cos_turns(double u) {
  const double quarters = std::floor(std::fma(u, 4.0, 0.5));
  constexpr double kTwoPi = 6.28318530717958647693;
  const double angle = std::fma(quarters, -0.25, u) * kTwoPi;  // in [-pi/4, pi/4]
  const double a2 = angle * angle;
  const int quadrant = static_cast<int>(quarters) & 3;
  double series = 0.0;
  if (quadrant % 2 == 0) {
    for (int k = 16; k >= 2; k -= 2) series = std::fma(series, -a2 / ((k + 1.0) * (k + 2.0)), 1.0);
    const double cosine = std::fma(-a2 / 2.0, series, 1.0);
    return quadrant == 0 ? cosine : -cosine;
  }
  for (int k = 17; k >= 1; k -= 2) series = std::fma(series, -a2 / ((k + 1.0) * (k + 2.0)), 1.0);
  const double sine = angle * series;
  return quadrant == 1 ? -sine : sine;
}

}  // namespace

Rng Rng::stream(std::uint64_t seed, Purpose purpose, std::initializer_list<std::uint64_t> indices) {
  std::uint64_t key = absorb(mix(seed), static_cast<std::uint64_t>(purpose));
  for (std::uint64_t index : indices) key = absorb(key, index);
  Rng rng;
  for (std::uint64_t& word : rng.state_) {
    key += kGoldenGamma;
    word = mix(key);  // four outputs of a bijection at distinct inputs: never all zero
  }
  return rng;
}

std::uint64_t Rng::below(std::uint64_t bound) {
  OMNIFIT_CHECK(bound > 0, "Rng::below needs a positive bound");
  // Lemire 2019, "Fast Random Integer Generation in an Interval": the high half of a 128-bit
  // product, redrawn in the rare case that would favour some values.
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(next()) * bound;
  auto low = static_cast<std::uint64_t>(product);
  if (low < bound) {
    const std::uint64_t threshold = (0 - bound) % bound;
    while (low < threshold) {
      product = static_cast<Wide>(next()) * bound;
      low = static_cast<std::uint64_t>(product);
    }
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double Rng::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

double Rng::uniform(double low, double high) {
  const double value = std::fma(high - low, uniform(), low);
  return value < high || !(low < high) ? value : std::nextafter(high, low);
}

double Rng::normal() {
  const double radius_uniform = 1.0 - uniform();  // in (0, 1]: the logarithm is finite
  const double turn = uniform();
  return std::sqrt(-2.0 * portable_log(radius_uniform)) * portable_cos_turns(turn);
}

}  // namespace omnifit::core
