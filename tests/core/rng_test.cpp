#include "core/rng.hpp"

#include "tests/support/catch.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

using omnifit::core::Purpose;
using omnifit::core::Rng;

namespace {

std::vector<std::uint64_t> draws(Rng rng, int count) {
  std::vector<std::uint64_t> values;
  for (int k = 0; k < count; ++k) values.push_back(rng.next());
  return values;
}

/// Sum of (observed - expected)² / expected over equally likely cells.
double chi_squared(const std::vector<int>& counts) {
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  const double expected = total / static_cast<double>(counts.size());
  double sum = 0;
  for (int count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

}  // namespace

// The expected numbers come from a second implementation of the documented algorithms, written in
// another language with integers of any size. They are part of every stored result: never update.
TEST_CASE("a stream gives the same bits for ever", "[core][golden]") {
  CHECK(draws(Rng::stream(0, Purpose::kTest), 4) ==
        std::vector<std::uint64_t>{0xacb0d558b7720c18ULL, 0x85162c68e7803002ULL,
                                   0xa1dfa2f975d770c4ULL, 0x3c47c65955a7b8e5ULL});
  CHECK(draws(Rng::stream(42, Purpose::kSearch, {3, 7}), 4) ==
        std::vector<std::uint64_t>{0x5ce96d97c4e1bf98ULL, 0xca61bd0c63fc4827ULL,
                                   0x9547be44b7c42dafULL, 0x75dce542ff843592ULL});
}

TEST_CASE("the distributions give the same numbers for ever", "[core][golden]") {
  Rng below = Rng::stream(7, Purpose::kTest);
  for (std::uint64_t expected : {7, 8, 6, 4, 4, 4, 3, 2, 6, 1, 9, 8}) {
    CHECK(below.below(10) == expected);
  }
  // Three quarters of the range: every fourth draw or so has to be rejected.
  Rng wide = Rng::stream(7, Purpose::kTest);
  for (std::uint64_t expected : {9722412846042792452ULL, 11633595103995528712ULL,
                                 8898644156034365884ULL, 6199154708337205176ULL}) {
    CHECK(wide.below(3ULL << 62U) == expected);
  }
  Rng real = Rng::stream(7, Purpose::kTest);
  for (double expected : {0.702737408632038, 0.840877939037912, 0.6431952884098597})
    CHECK(real.uniform() == expected);

  std::array<int, 8> order{};
  std::iota(order.begin(), order.end(), 0);
  Rng shuffle = Rng::stream(7, Purpose::kTest);
  shuffle.shuffle(std::span<int>(order));
  CHECK(order == std::array<int, 8>{4, 0, 6, 1, 2, 3, 7, 5});
}

TEST_CASE("normal numbers agree with the textbook formula and are pinned to the bit",
          "[core][golden]") {
  Rng rng = Rng::stream(7, Purpose::kTest);
  for (double expected :
       {0.8418735791979165, -1.2916150131519761, -0.9995724032759444, -0.17452628562360017}) {
    CHECK(rng.normal() == Approx(expected).epsilon(1e-14));
  }
  Rng pinned = Rng::stream(8, Purpose::kTest);
  double sum = 0;
  for (int k = 0; k < 1000; ++k) sum += pinned.normal();
  CHECK(sum == 52.094288074647082);

  Rng drawn = Rng::stream(9, Purpose::kTest);
  Rng uniforms = Rng::stream(9, Purpose::kTest);
  double worst = 0;
  for (int k = 0; k < 20000; ++k) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniforms.uniform()));
    const double reference = radius * std::cos(2.0 * 3.14159265358979323846 * uniforms.uniform());
    worst = std::max(worst, std::abs(drawn.normal() - reference));
  }
  CHECK(worst < 1e-14);
}

TEST_CASE("streams of different keys differ", "[core][unit]") {
  std::set<std::uint64_t> first;
  int keys = 0;
  const auto add = [&](Rng rng) {
    first.insert(rng.next());
    ++keys;
  };
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    for (Purpose purpose : {Purpose::kShuffle, Purpose::kAugment, Purpose::kTest}) {
      add(Rng::stream(seed, purpose));
      for (std::uint64_t a = 0; a < 10; ++a) {
        add(Rng::stream(seed, purpose, {a}));
        for (std::uint64_t b = 0; b < 10; ++b) add(Rng::stream(seed, purpose, {a, b}));
      }
    }
  }
  CHECK(first.size() == static_cast<std::size_t>(keys));
  CHECK(draws(Rng::stream(1, Purpose::kTest, {2, 3}), 8) ==
        draws(Rng::stream(1, Purpose::kTest, {2, 3}), 8));
}

TEST_CASE("bounded numbers are uniform", "[core][property]") {
  // 99.99th percentile of chi squared with 9 and 99 degrees of freedom: 33.7 and 161.3.
  std::vector<int> small(10);
  Rng rng = Rng::stream(1, Purpose::kTest);
  for (int k = 0; k < 100000; ++k) ++small[rng.below(10)];
  CHECK(chi_squared(small) < 33.7);

  // Neighbouring keys must be as independent as the numbers of one stream.
  std::vector<int> across(100);
  for (std::uint64_t k = 0; k < 100000; ++k) {
    ++across[Rng::stream(1, Purpose::kTest, {k}).below(100)];
  }
  CHECK(chi_squared(across) < 161.3);

  // Without rejection the lower half of this range would come up twice as often as the rest.
  const std::uint64_t bound = 3ULL << 62U;
  std::vector<int> thirds(3);
  for (int k = 0; k < 30000; ++k) ++thirds[rng.below(bound) >> 62U];
  CHECK(chi_squared(thirds) < 18.4);
  CHECK(rng.below(1) == 0);
}

TEST_CASE("real numbers stay in their interval and have the right moments", "[core][property]") {
  Rng rng = Rng::stream(2, Purpose::kTest);
  const int count = 100000;
  std::vector<int> cells(100);
  double sum = 0, sum_of_squares = 0;
  for (int k = 0; k < count; ++k) {
    const double u = rng.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    ++cells[static_cast<std::size_t>(u * 100)];
    const double z = rng.normal();
    sum += z;
    sum_of_squares += z * z;
  }
  CHECK(chi_squared(cells) < 161.3);
  CHECK(std::abs(sum / count) < 4.0 / std::sqrt(count));
  CHECK(std::abs(sum_of_squares / count - 1) < 4.0 * std::sqrt(2.0 / count));

  // Only two values lie between these bounds: rounding must not reach the excluded one.
  const double low = 1.0, high = std::nextafter(std::nextafter(1.0, 2.0), 2.0);
  for (int k = 0; k < 1000; ++k) {
    const double value = rng.uniform(low, high);
    REQUIRE(value >= low);
    REQUIRE(value < high);
  }
  CHECK(rng.uniform(3.0, 3.0) == 3.0);
  for (int k = 0; k < 100; ++k) {
    REQUIRE_FALSE(rng.bernoulli(0.0));
    REQUIRE(rng.bernoulli(1.0));
  }
}

TEST_CASE("a shuffle reaches every order equally often", "[core][property]") {
  std::vector<int> orders(6);
  for (std::uint64_t k = 0; k < 12000; ++k) {
    std::array<int, 3> values{0, 1, 2};
    Rng rng = Rng::stream(5, Purpose::kShuffle, {k});
    rng.shuffle(std::span<int>(values));
    const int code = values[0] * 2 + (values[1] > values[2] ? 1 : 0);
    ++orders[static_cast<std::size_t>(code)];
  }
  CHECK(chi_squared(orders) < 25.7);  // 99.99th percentile, 5 degrees of freedom
}

TEST_CASE("a bound of zero is a bug", "[core][error]") {
  Rng rng = Rng::stream(0, Purpose::kTest);
  CHECK_THROWS_AS(rng.below(0), omnifit::BugError);
}
