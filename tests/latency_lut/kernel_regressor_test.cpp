#include "latency_lut/kernel_regressor.hpp"

#include "core/error.hpp"
#include "latency_lut/latency_table.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_timer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;

const space::TaskIo kIo{3, 10};

/// A smooth device: every unit costs its work and a little for being there.
double smooth_ms(const space::LayerSpec& spec) {
  return 0.01 + 1e-7 * static_cast<double>(space::macs(spec)) +
         1e-6 * static_cast<double>(space::params_count(spec));
}

std::vector<space::LayerSpec> units_of(const space::SearchSpace& space) {
  return space::distinct_units(space, kIo);
}

std::vector<UnitTime> times_of(const std::vector<space::LayerSpec>& units,
                               const std::vector<std::size_t>& chosen) {
  std::vector<UnitTime> times;
  for (const std::size_t i : chosen) times.push_back({units[i], smooth_ms(units[i])});
  return times;
}

}  // namespace

TEST_CASE("A third of the units tells the others", "[latency][unit]") {
  const auto units = units_of(test::shipped_space("mbv3_32px"));
  const auto chosen = choose_units(units, units.size() / 3);
  const KernelRegressor regressor = KernelRegressor::fit(times_of(units, chosen));
  const auto estimates = regressor.predict(units);
  std::vector<double> errors;
  int within_two = 0;
  for (std::size_t i = 0; i < units.size(); ++i) {
    errors.push_back(std::abs(estimates[i].time_ms / smooth_ms(units[i]) - 1.0));
    within_two +=
        std::abs(estimates[i].time_ms - smooth_ms(units[i])) <= 2.0 * estimates[i].deviation_ms ? 1
                                                                                                : 0;
  }
  std::sort(errors.begin(), errors.end());
  CHECK(errors[errors.size() / 2] < 0.02);
  CHECK(errors[errors.size() * 9 / 10] < 0.1);
  CHECK(within_two > static_cast<int>(units.size()) * 3 / 4);
  const LatencyEstimate one = regressor.predict(units[5]);
  CHECK(one.time_ms == estimates[5].time_ms);
  CHECK(one.deviation_ms == estimates[5].deviation_ms);
  CHECK(regressor.predict(std::span<const space::LayerSpec>()).empty());
}

TEST_CASE("Noisy measurements widen the deviation", "[latency][unit]") {
  const auto units = units_of(test::shipped_space("mbv3_32px"));
  const auto chosen = choose_units(units, units.size() / 2);
  auto times = times_of(units, chosen);
  const double quiet = KernelRegressor::fit(times).predict(units[0]).deviation_ms;
  core::Rng rng = test::test_rng(2);
  for (UnitTime& time : times) time.time_ms *= std::exp(0.2 * rng.normal());
  const KernelRegressor noisy = KernelRegressor::fit(times);
  CHECK(noisy.predict(units[0]).deviation_ms > 2.0 * quiet);
  CHECK(noisy.noise() > 0.08);
  CHECK(noisy.noise() < 0.4);
}

TEST_CASE("Units to measure are spread out and nested", "[latency][property]") {
  const auto units = units_of(test::shipped_space("mbv3_32px"));
  const auto few = choose_units(units, 20);
  const auto more = choose_units(units, 40);
  CHECK(few.size() == 20);
  CHECK(std::is_sorted(few.begin(), few.end()));
  CHECK(std::set<std::size_t>(more.begin(), more.end()).size() == 40);
  CHECK(std::includes(more.begin(), more.end(), few.begin(), few.end()));
  std::set<std::size_t> kinds;
  std::set<std::size_t> all_kinds;
  for (const std::size_t i : few) kinds.insert(units[i].index());
  for (const auto& unit : units) all_kinds.insert(unit.index());
  CHECK((kinds == all_kinds));
  CHECK(choose_units(units, units.size() + 5).size() == units.size());
  CHECK(choose_units(units, 0).empty());
  CHECK(choose_units({}, 3).empty());
}

TEST_CASE("Features describe every kind of unit", "[latency][unit]") {
  for (const char* name : {"tiny", "ofa_resnet50", "ofa_proxyless"}) {
    for (const auto& unit : units_of(test::shipped_space_with(name, {"resolutions=[128]"}))) {
      CAPTURE(space::spec_text(unit));
      const Eigen::RowVectorXd row = unit_features(unit);
      REQUIRE(row.size() == static_cast<Eigen::Index>(unit_feature_names().size()));
      CHECK(row.allFinite());
      CHECK(row.head(6).sum() == 1.0);
      CHECK(row(row.size() - 1) > 0.0);
    }
  }
}

TEST_CASE("A regressor wants enough positive times", "[latency][error]") {
  const auto units = units_of(test::shipped_space("tiny"));
  auto times = times_of(units, {0, 1, 2, 3, 4, 5, 6});
  CHECK_THROWS_WITH(KernelRegressor::fit(times),
                    "a kernel regressor needs at least 8 units, got 7");
  times.push_back({units[7], 0.0});
  CHECK_THROWS_WITH(KernelRegressor::fit(times), ContainsSubstring("must be positive, got 0 ms"));
  times.back().time_ms = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(KernelRegressor::fit(times), std::invalid_argument);
}

TEST_CASE("A table that fills its gaps says which units it did not measure", "[latency][unit]") {
  const auto space = test::shipped_space("mbv3_32px");
  const auto units = units_of(space);
  std::map<space::LayerSpec, double> measured;
  for (const std::size_t i : choose_units(units, units.size() / 2)) {
    measured[units[i]] = smooth_ms(units[i]);
  }
  LatencyTable table(measured, Correction{1.5, 0.1, 12, 0.02});
  const space::NetworkPlan plan = space::lower(space, space::largest(space), kIo);
  CHECK_FALSE(table.estimate(plan));
  CHECK(table.estimates().empty());
  const auto before = table.hash();
  table.fill_gaps(units);
  CHECK(table.estimates().size() == units.size() - measured.size());
  CHECK(table.hash() != before);

  double sum_ms = 0.0;
  double deviation_ms = 0.0;
  int num_estimated = 0;
  for (const auto& planned : plan.units) {
    const LatencyTable::UnitEstimate unit = table.unit(planned.spec).value();
    CHECK(unit.measured == (measured.count(planned.spec) > 0));
    if (unit.measured) {
      CHECK(unit.latency.time_ms == measured.at(planned.spec));
      CHECK(unit.latency.deviation_ms == 0.0);
    } else {
      CHECK(unit.latency.deviation_ms > 0.0);
      ++num_estimated;
    }
    sum_ms += unit.latency.time_ms;
    deviation_ms += unit.latency.deviation_ms;
  }
  REQUIRE(num_estimated > 0);
  const LatencyTable::NetworkEstimate network = table.estimate(plan).value();
  CHECK(network.num_estimated == num_estimated);
  CHECK(network.latency.time_ms ==
        Approx(1.5 * sum_ms + 0.1 + 0.02 * static_cast<double>(plan.units.size())));
  CHECK(network.latency.deviation_ms == Approx(1.5 * deviation_ms));
  CHECK(table.estimate_ms(plan).value() == Approx(network.latency.time_ms));
  Correction narrower = table.correction();
  narrower.deviation_scale = 0.25;
  const auto wide = table.hash();
  table.set_correction(narrower);
  CHECK(table.estimate(plan)->latency.deviation_ms == Approx(0.25 * 1.5 * deviation_ms));
  CHECK(table.hash() != wide);

  const space::AdditiveCost cost = table.compile(space, kIo);
  CHECK(cost.missing().empty());
  CHECK(cost(space::largest(space)) == Approx(network.latency.time_ms));
  CHECK(cost(space::largest(space)) == Approx(1.5 *
                                                  [&] {
                                                    double truth = 0.0;
                                                    for (const auto& planned : plan.units)
                                                      truth += smooth_ms(planned.spec);
                                                    return truth;
                                                  }() +
                                              0.1 + 0.02 * static_cast<double>(plan.units.size()))
                                           .epsilon(0.05));

  CHECK_THROWS_WITH(LatencyTable({{units[0], 1.0}}).fill_gaps(units),
                    "the latency table has 1 units, at least 8 are needed to estimate the others "
                    "from");
}

}  // namespace omnifit::latency
