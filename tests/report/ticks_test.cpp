#include "report/ticks.hpp"
#include "core/error.hpp"
#include "core/rng.hpp"
#include "tests/support/catch.hpp"

#include <cmath>

namespace omnifit {

using report::nice_ticks;
using report::padded_interval;

TEST_CASE("ticks are round numbers inside the interval", "[report][unit]") {
  CHECK(nice_ticks(0.0, 1.0, 6).values ==
        std::vector<double>{0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0});
  CHECK(nice_ticks(0.07, 0.77, 8).values.size() == 7);
  CHECK(nice_ticks(83.0, 95.5, 6).values ==
        std::vector<double>{84.0, 86.0, 88.0, 90.0, 92.0, 94.0});
  CHECK(nice_ticks(-3.0, 7.0, 4).values == std::vector<double>{0.0, 5.0});
  CHECK(nice_ticks(0.0, 12345.0, 5).values == std::vector<double>{0.0, 5000.0, 10000.0});
}

TEST_CASE("ticks of any interval keep their promises", "[report][property]") {
  auto rng = core::Rng::stream(11, core::Purpose::kTest);
  for (int i = 0; i < 500; ++i) {
    const double low = (rng.uniform() - 0.5) * std::pow(10.0, rng.uniform(-4.0, 7.0));
    const double high = low + std::pow(10.0, rng.uniform(-5.0, 8.0));
    const int max_count = 2 + static_cast<int>(rng.below(12));
    CAPTURE(low, high, max_count);
    const report::Ticks ticks = nice_ticks(low, high, max_count);
    REQUIRE(ticks.values.size() <= static_cast<std::size_t>(max_count));
    const double slack = (high - low) * 1e-6;
    for (std::size_t t = 0; t < ticks.values.size(); ++t) {
      REQUIRE(ticks.values[t] >= low - slack);
      REQUIRE(ticks.values[t] <= high + slack);
      if (t > 0) {
        REQUIRE(ticks.text(ticks.values[t]) != ticks.text(ticks.values[t - 1]));
        const double step = ticks.values[t] - ticks.values[t - 1];
        const double mantissa = step / std::pow(10.0, std::floor(std::log10(step * 1.0001)));
        REQUIRE((mantissa == Approx(1.0) || mantissa == Approx(2.0) || mantissa == Approx(5.0)));
      }
    }
  }
}

TEST_CASE("an interval without extent has no ticks", "[report][error]") {
  CHECK_THROWS_AS(nice_ticks(1.0, 1.0, 5), BugError);
  CHECK_THROWS_AS(nice_ticks(0.0, INFINITY, 5), BugError);
}

TEST_CASE("tick texts share their decimals and group thousands", "[report][unit]") {
  const report::Ticks tenths = nice_ticks(0.0, 0.5, 6);
  CHECK(tenths.text(0.0) == "0.0");
  CHECK(tenths.text(0.30000000000000004) == "0.3");
  const report::Ticks wholes{{}, 0};
  CHECK(wholes.text(2000.0) == "2000");
  CHECK(wholes.text(10000.0) == "10\u202f000");
  CHECK(wholes.text(-1234567.0) == "-1\u202f234\u202f567");
  CHECK(nice_ticks(-1.0, 1.0, 3).text(nice_ticks(-1.0, 1.0, 3).values[1]) == "0");
}

TEST_CASE("an axis leaves a margin around finite values", "[report][unit]") {
  const auto usual = padded_interval({10.0, 20.0, INFINITY, NAN}, false);
  CHECK(usual.low == Approx(9.5));
  CHECK(usual.high == Approx(20.5));
  CHECK(padded_interval({10.0, 20.0}, true).low == 0.0);
  const auto single = padded_interval({-4.0, -4.0}, false);
  CHECK(single.low < -4.0);
  CHECK(single.high > -4.0);
  CHECK(padded_interval({0.0}, false).low < padded_interval({0.0}, false).high);
  CHECK(padded_interval({}, false).high == 1.0);
  CHECK(padded_interval({NAN}, true).low == 0.0);
}

}  // namespace omnifit
