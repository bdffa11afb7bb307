#include "learn/metrics.hpp"

#include "core/rng.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

namespace omnifit::learn {
namespace {

using Series = std::vector<double>;

int sign(double value) { return (value > 0.0) - (value < 0.0); }

/// Tau-b from its definition: every pair, one after the other.
double slow_kendall_tau(const Series& a, const Series& b) {
  double agreement = 0.0;
  double untied_a = 0.0;
  double untied_b = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = i + 1; j < a.size(); ++j) {
      const int in_a = sign(a[i] - a[j]);
      const int in_b = sign(b[i] - b[j]);
      agreement += in_a * in_b;
      untied_a += in_a * in_a;
      untied_b += in_b * in_b;
    }
  }
  return agreement / std::sqrt(untied_a * untied_b);
}

/// 1 + number of smaller values + half of the other equal ones.
Series slow_ranks(const Series& values) {
  Series ranks;
  for (double value : values) {
    double rank = 0.5;
    for (double other : values) rank += other < value ? 1.0 : (other == value ? 0.5 : 0.0);
    ranks.push_back(rank);
  }
  return ranks;
}

double slow_pearson(const Series& a, const Series& b) {
  const auto n = static_cast<double>(a.size());
  double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sa += a[i];
    sb += b[i];
    saa += a[i] * a[i];
    sbb += b[i] * b[i];
    sab += a[i] * b[i];
  }
  return (n * sab - sa * sb) / std::sqrt((n * saa - sa * sa) * (n * sbb - sb * sb));
}

}  // namespace

TEST_CASE("Ranking metrics equal their definitions, ties included", "[learn][property]") {
  const auto trial = static_cast<std::uint64_t>(GENERATE(range(0, 200)));
  CAPTURE(trial);
  core::Rng rng = core::Rng::stream(11, core::Purpose::kTest, {trial});
  const std::size_t size = 2 + rng.below(40);
  const std::uint64_t levels = 2 + rng.below(30);  // few levels: many ties
  Series a(size);
  Series b(size);
  for (std::size_t i = 0; i < size; ++i) {
    a[i] = static_cast<double>(rng.below(levels)) - 3.0;
    b[i] = static_cast<double>(rng.below(levels)) / 7.0 + (rng.bernoulli(0.5) ? a[i] : 0.0);
  }
  a[0] = -10.0;  // neither series is constant
  b[0] = 10.0;
  CHECK(kendall_tau(a, b) == Approx(slow_kendall_tau(a, b)).margin(1e-12));
  CHECK(kendall_tau(a, b) == kendall_tau(b, a));
  CHECK(spearman(a, b) == Approx(slow_pearson(slow_ranks(a), slow_ranks(b))).margin(1e-12));
  CHECK(pearson(a, b) == Approx(slow_pearson(a, b)).margin(1e-9));
}

TEST_CASE("Metrics agree with values worked out by hand", "[learn][golden]") {
  const Series a{1, 2, 3, 4, 5};
  CHECK(kendall_tau(a, Series{1, 2, 3, 4, 5}) == 1.0);
  CHECK(kendall_tau(a, Series{5, 4, 3, 2, 1}) == -1.0);
  CHECK(kendall_tau(a, Series{3, 1, 2, 5, 4}) == Approx(0.4));  // 7 pairs agree, 3 do not
  CHECK(kendall_tau(Series{1, 1, 2}, Series{1, 2, 3}) == Approx(2.0 / std::sqrt(6.0)));
  CHECK(spearman(a, Series{3, 1, 2, 5, 4}) == Approx(0.6));  // 1 - 6 * 8 / (5 * 24)
  CHECK(spearman(a, Series{1, 4, 9, 16, 25}) == Approx(1.0));
  CHECK(pearson(a, Series{2, 4, 6, 8, 10}) == Approx(1.0));
  CHECK(rmse(Series{1, 2}, Series{4, 6}) == Approx(std::sqrt(12.5)));
  CHECK(mae(Series{1, 2}, Series{4, 6}) == 3.5);
  CHECK(mape(Series{1, 3}, Series{2, 4}) == Approx((0.5 + 0.25) / 2));
  CHECK(mape(Series{-1}, Series{-2}) == 0.5);
  CHECK(share_within(Series{1.1, 0.89, 2.0, 1.0}, Series{1, 1, 1, 1}, 0.1000001) == 0.5);
  CHECK(r2(Series{1, 2, 3}, Series{1, 2, 3}) == 1.0);
  CHECK(r2(Series{2, 2, 2}, Series{1, 2, 3}) == 0.0);
  CHECK(r2(Series{3, 2, 1}, Series{1, 2, 3}) == -3.0);
}

TEST_CASE("What has no order has no rank correlation", "[learn][unit]") {
  const Series constant{0.1, 0.1, 0.1};
  const Series rising{1, 2, 3};
  CHECK(std::isnan(kendall_tau(constant, rising)));
  CHECK(std::isnan(kendall_tau(rising, constant)));
  CHECK(std::isnan(spearman(constant, rising)));
  CHECK(std::isnan(pearson(rising, constant)));
  CHECK(std::isnan(r2(rising, constant)));
  CHECK(std::isnan(kendall_tau(Series{1}, Series{2})));
  CHECK(std::isnan(kendall_tau(Series{}, Series{})));
  CHECK(std::isnan(rmse(Series{}, Series{})));
  CHECK(std::isnan(share_within(Series{}, Series{}, 0.1)));
}

TEST_CASE("Kendall's tau of long series does not overflow", "[learn][unit]") {
  Series a(100'000);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<double>(i);
  Series b(a.rbegin(), a.rend());
  CHECK(kendall_tau(a, a) == Approx(1.0));
  CHECK(kendall_tau(a, b) == Approx(-1.0));
}

TEST_CASE("Metrics refuse what cannot be compared", "[learn][error]") {
  const Series two{1, 2};
  const Series three{1, 2, 3};
  const Series nan{1, std::numeric_limits<double>::quiet_NaN()};
  CHECK_THROWS_WITH(kendall_tau(two, three), "series of equal length expected, got 2 and 3");
  CHECK_THROWS_WITH(spearman(two, nan), "a series holds a value that is not a number");
  CHECK_THROWS_AS(pearson(nan, two), std::invalid_argument);
  CHECK_THROWS_AS(rmse(two, three), std::invalid_argument);
  CHECK_THROWS_AS(r2(two, nan), std::invalid_argument);
  CHECK_THROWS_WITH(mape(two, Series{0, 1}), "relative error of a measured value of 0");
}

}  // namespace omnifit::learn
