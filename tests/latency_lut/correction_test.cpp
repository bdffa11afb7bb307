#include "latency_lut/correction.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace omnifit::latency {
namespace {

using Times = std::vector<double>;

Times line(const Times& sums, double scale, double offset) {
  Times result;
  for (double sum : sums) result.push_back(scale * sum + offset);
  return result;
}

const Times kSums{1.0, 1.4, 2.1, 2.2, 3.0, 3.7, 4.1, 5.0, 6.3, 7.7, 8.1, 9.0};

}  // namespace

TEST_CASE("The correction recovers a known line", "[latency][unit]") {
  const auto [scale, offset] =
      GENERATE(table<double, double>({{1.0, 0.0}, {1.3, 0.25}, {0.7, 0.1}, {1.1, -0.4}}));
  const Correction correction = fit_correction(kSums, line(kSums, scale, offset), 1.0);
  CHECK(correction.scale == Approx(scale));
  CHECK(correction.offset_ms == Approx(offset).margin(1e-9));
  CHECK(correction.num_fit == 12);
  CHECK(correction(2.0) == Approx(2.0 * scale + offset));
}

TEST_CASE("An overhead per unit is fitted where it helps", "[latency][unit]") {
  const std::vector<int> units{14, 20, 15, 22, 13, 24, 18, 16, 21, 12, 19, 23};
  std::vector<NetworkSum> networks;
  for (std::size_t i = 0; i < kSums.size(); ++i) networks.push_back({kSums[i], units[i], 0.0});
  Times measured;
  for (const auto& network : networks) {
    measured.push_back(1.2 * network.sum_ms + 0.3 + 0.05 * network.num_units);
  }
  measured[4] *= 4.0;  // disturbed
  const Correction correction = fit_correction(networks, measured, {0.9, 10, 0.0});
  CHECK(correction.scale == Approx(1.2).epsilon(1e-3));
  CHECK(correction.offset_ms == Approx(0.3).epsilon(0.05));
  CHECK(correction.unit_overhead_ms == Approx(0.05).epsilon(1e-2));
  CHECK(correction.num_fit == 12);
  CHECK(correction(NetworkSum{2.0, 10, 0.0}) == Approx(3.2).epsilon(1e-2));
  CHECK_THROWS_AS(correction(2.0), BugError);
}

TEST_CASE("A time per megabyte of weights is fitted where it helps", "[latency][unit]") {
  const std::vector<double> weights_mb{14, 20, 15, 22, 13, 24, 18, 16, 21, 12, 19, 23};
  const std::vector<int> units{18, 17, 21, 20, 16, 19, 22, 18, 15, 20, 17, 21};
  const double per_unit = GENERATE(0.0, -0.03);
  std::vector<NetworkSum> networks;
  Times measured;
  for (std::size_t i = 0; i < kSums.size(); ++i) {
    const NetworkSum& network = networks.emplace_back(
        NetworkSum{.sum_ms = kSums[i], .num_units = units[i], .weight_mb = weights_mb[i]});
    measured.push_back(1.1 * network.sum_ms + 0.2 + per_unit * network.num_units +
                       0.08 * network.weight_mb);
  }
  const Correction correction =
      fit_correction(networks, measured, {.sum_ms = 0.9, .num_units = 15, .weight_mb = 12.0});
  CHECK(correction.scale == Approx(1.1).epsilon(1e-6));
  CHECK(correction.offset_ms == Approx(0.2).epsilon(1e-4));
  CHECK(correction.unit_overhead_ms == Approx(per_unit).margin(1e-9));
  CHECK(correction.weight_ms_per_mb == Approx(0.08).epsilon(1e-6));
  CHECK(correction(NetworkSum{2.0, 10, 5.0}) == Approx(2.2 + 0.2 + 10 * per_unit + 0.4));
  CHECK(correction.unit(2.0, 5.0) == Approx(2.2 + per_unit + 0.4));
}

TEST_CASE("The deviation of a network is as large as the errors of those it was fitted on",
          "[latency][property]") {
  // Units that err independently, by 5 % of their time each: a network of n of them errs by the
  // root of n, not by n.
  constexpr int kNetworks = 200;
  core::Rng rng = core::Rng::stream(9, core::Purpose::kTest);
  const double common = GENERATE(0.0, 1.0);
  CAPTURE(common);
  std::vector<NetworkSum> networks;
  Times measured;
  double num_units = 0.0;
  for (int i = 0; i < kNetworks; ++i) {
    NetworkSum network{.sum_ms = 0.0, .num_units = 16, .weight_mb = 0.0};
    const double shared = rng.normal();
    double truth_ms = 0.0;
    for (int unit = 0; unit < network.num_units; ++unit) {
      const double time_ms = 0.5 + 0.5 * rng.uniform() + 0.01 * i;
      const double error = common > 0.0 ? shared : rng.normal();
      network.sum_ms += time_ms;
      network.deviation_ms += 0.05 * time_ms;
      truth_ms += time_ms * (1.0 + 0.05 * error);
    }
    networks.push_back(network);
    measured.push_back(1.3 * truth_ms + 0.2);
    num_units = network.num_units;
  }
  const NetworkSum smallest = networks.front();
  const Correction correction = fit_correction(networks, measured, smallest);
  const double expected = common > 0.0 ? 1.0 : 1.0 / std::sqrt(num_units);
  CHECK(correction.deviation_scale == Approx(expected).epsilon(0.2));
  CHECK(correction.deviation_ms(smallest) ==
        Approx(correction.deviation_scale * correction.scale * smallest.deviation_ms));
  // About two in three networks lie within it.
  int within = 0;
  for (int i = 0; i < kNetworks; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double error_ms = std::abs(correction(networks[at]) - measured[at]);
    within += error_ms <= correction.deviation_ms(networks[at]) ? 1 : 0;
  }
  CHECK(within > 0.6 * kNetworks);
  CHECK(within < 0.76 * kNetworks);
  // A network that something disturbed moves it little.
  measured[7] *= 5.0;
  CHECK(fit_correction(networks, measured, smallest).deviation_scale ==
        Approx(correction.deviation_scale).epsilon(0.05));
}

TEST_CASE("Without networks that tell the deviations of units add up", "[latency][unit]") {
  std::vector<NetworkSum> networks;
  for (const double sum_ms : kSums) {
    networks.push_back({.sum_ms = sum_ms, .num_units = 15, .weight_mb = 1.0});
  }
  Times measured = line(kSums, 1.2, 0.3);
  for (std::size_t i = 0; i < 7; ++i) networks[i].deviation_ms = 0.1;
  const NetworkSum smallest = networks.front();
  CHECK(fit_correction(networks, measured, smallest).deviation_scale == 1.0);
  CHECK(fit_correction(std::span(networks).first(7), std::span(measured).first(7), smallest)
            .deviation_scale == 1.0);
  CHECK(fit_correction({}, {}, smallest).deviation_ms(smallest) == Approx(0.1));
}

TEST_CASE("Weights never make a network faster", "[latency][unit]") {
  std::vector<NetworkSum> networks;
  Times measured;
  for (std::size_t i = 0; i < kSums.size(); ++i) {
    const double weight_mb = 10.0 + static_cast<double>(i * 5 % 7);
    networks.push_back({.sum_ms = kSums[i], .num_units = 15, .weight_mb = weight_mb});
    measured.push_back(2.0 * kSums[i] + 3.0 - 0.1 * weight_mb);
  }
  CHECK(fit_correction(networks, measured, networks.front()).weight_ms_per_mb == 0.0);
}

TEST_CASE("A time of weights that helps a little is taken, such an overhead is not",
          "[latency][unit]") {
  // The same figure as weights and as units: the error of networks left out falls by less than a
  // tenth.
  core::Rng rng = core::Rng::stream(6, core::Purpose::kTest);
  std::vector<NetworkSum> by_weights;
  std::vector<NetworkSum> by_units;
  Times measured;
  for (int i = 0; i < 100; ++i) {
    const double sum_ms = 5.0 + 0.1 * i;
    const int figure = 10 + i * 5 % 7;
    by_weights.push_back({.sum_ms = sum_ms, .num_units = 15, .weight_mb = 1.0 * figure});
    by_units.push_back({.sum_ms = sum_ms, .num_units = figure, .weight_mb = 0.0});
    measured.push_back((1.2 * sum_ms + 0.05 * figure) * (1.0 + 0.02 * rng.normal()));
  }
  const Correction weights = fit_correction(by_weights, measured, by_weights.front());
  CHECK(weights.weight_ms_per_mb > 0.0);
  CHECK(weights.unit_overhead_ms == 0.0);
  const Correction units = fit_correction(by_units, measured, by_units.front());
  CHECK(units.unit_overhead_ms == 0.0);
}

TEST_CASE("An overhead per unit that does not help is left out", "[latency][unit]") {
  core::Rng rng = core::Rng::stream(5, core::Purpose::kTest);
  std::vector<NetworkSum> networks;
  Times measured = line(kSums, 1.2, 0.3);
  for (std::size_t i = 0; i < kSums.size(); ++i) {
    networks.push_back({kSums[i], 12 + static_cast<int>(rng.below(10)), 0.0});
    measured[i] *= 1.0 + 0.02 * rng.normal();
  }
  const NetworkSum smallest{1.0, 12, 0.0};
  CHECK(fit_correction(networks, measured, smallest) == fit_correction(kSums, measured, 1.0));
  // Unit counts that say nothing, and too few networks.
  for (auto& network : networks) network.num_units = 12;
  CHECK(fit_correction(networks, measured, smallest) == fit_correction(kSums, measured, 1.0));
  CHECK(fit_correction(std::span(networks).first(7), std::span(measured).first(7), smallest) ==
        fit_correction(std::span(kSums).first(7), std::span(measured).first(7), 1.0));
}

TEST_CASE("A few disturbed measurements move the correction little", "[latency][unit]") {
  core::Rng rng = core::Rng::stream(2, core::Purpose::kTest);
  Times measured = line(kSums, 1.2, 0.3);
  for (double& value : measured) value *= 1.0 + 0.01 * rng.normal();
  measured[2] *= 5.0;
  measured[9] *= 3.0;
  const Correction correction = fit_correction(kSums, measured, 1.0);
  CHECK(correction.scale == Approx(1.2).epsilon(0.05));
  CHECK(correction.offset_ms == Approx(0.3).margin(0.1));
}

TEST_CASE("Where no rising line fits, the median ratio does", "[latency][unit]") {
  SECTION("measurements fall with the sum") {
    const Correction correction = fit_correction(Times{1, 2, 4}, Times{6, 5, 4}, 1.0);
    CHECK(correction == Correction{2.5, 0.0, 3});
  }
  SECTION("the cheapest network would take no time") {
    const Correction correction = fit_correction(Times{4, 5, 6}, Times{1, 3, 5}, 1.0);
    CHECK(correction == Correction{0.6, 0.0, 3});
  }
  SECTION("two networks are no line") {
    CHECK(fit_correction(Times{1, 2}, Times{2, 2}, 1.0) == Correction{1.5, 0.0, 2});
    CHECK(fit_correction(Times{2, 2, 2}, Times{2, 3, 4}, 1.0) == Correction{1.5, 0.0, 3});
  }
  SECTION("no networks leave the sum as it is") {
    CHECK(fit_correction({}, {}, 1.0) == Correction{1.0, 0.0, 0});
  }
}

TEST_CASE("Estimates are judged by hand-worked values", "[latency][golden]") {
  const EstimateCheck check =
      judge_estimates(Times{1.05, 2.4, 2.7, 4.0}, Times{1.0, 2.0, 3.0, 4.0});
  CHECK(check.num_check == 4);
  CHECK(check.mape.value() == Approx((0.05 + 0.2 + 0.1 + 0.0) / 4));
  CHECK(check.within_10_percent.value() == Approx(0.75));
  CHECK(check.kendall_tau.value() == Approx(1.0));
  CHECK(check.r2.value() == Approx(1.0 - (0.0025 + 0.16 + 0.09) / 5.0));
  CHECK(judge_estimates(Times{1, 3, 2}, Times{1, 2, 3}).kendall_tau.value() == Approx(1.0 / 3.0));

  CHECK(judge_estimates({}, {}) == EstimateCheck{});
  const EstimateCheck one = judge_estimates(Times{1.0}, Times{2.0});
  CHECK(one.mape == 0.5);
  CHECK_FALSE(one.kendall_tau);
  CHECK_FALSE(one.r2);
}

TEST_CASE("Times that are none are refused", "[latency][error]") {
  CHECK_THROWS_WITH(fit_correction(Times{1.0}, Times{}, 1.0), "1 sums but 0 measurements");
  CHECK_THROWS_WITH(fit_correction(Times{1.0}, Times{0.0}, 1.0),
                    "times must be positive, got sum 1 and measured 0");
  CHECK_THROWS_AS(fit_correction(Times{-1.0}, Times{1.0}, 1.0), std::invalid_argument);
  CHECK_THROWS_AS(judge_estimates(Times{1.0}, Times{std::numeric_limits<double>::quiet_NaN()}),
                  std::invalid_argument);
}

}  // namespace omnifit::latency
