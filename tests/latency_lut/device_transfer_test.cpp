#include "latency_lut/device_transfer.hpp"

#include "core/rng.hpp"
#include "learn/metrics.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <set>
#include <stdexcept>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;

/// Devices that weigh three kinds of work differently; the last column is the new one.
struct Devices {
  Eigen::MatrixXd known_ms;
  Eigen::VectorXd new_ms;
  Eigen::MatrixXd features;
};

Devices made_devices(Eigen::Index num_archs) {
  core::Rng rng = test::test_rng(12);
  Devices devices;
  devices.features.resize(num_archs, 3);
  for (Eigen::Index i = 0; i < num_archs; ++i) {
    for (Eigen::Index j = 0; j < 3; ++j) devices.features(i, j) = rng.uniform();
  }
  Eigen::MatrixXd weights(3, 7);
  for (Eigen::Index j = 0; j < 7; ++j) {
    for (Eigen::Index k = 0; k < 3; ++k) weights(k, j) = 0.2 + 3.0 * rng.uniform();
  }
  const Eigen::MatrixXd ms = (devices.features * weights).array() + 0.5;
  devices.known_ms = ms.leftCols(6);
  devices.new_ms = 7.0 * ms.col(6);
  return devices;
}

double rank_correlation(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  return learn::spearman({a.data(), static_cast<std::size_t>(a.size())},
                         {b.data(), static_cast<std::size_t>(b.size())});
}

std::vector<double> at(const Eigen::VectorXd& values, const std::vector<std::size_t>& chosen) {
  std::vector<double> picked;
  for (const std::size_t i : chosen) picked.push_back(values(static_cast<Eigen::Index>(i)));
  return picked;
}

}  // namespace

TEST_CASE("A new device is known after a few measurements", "[latency][unit]") {
  const Devices devices = made_devices(300);
  const DeviceTransfer transfer(devices.known_ms, devices.features);
  const auto chosen = transfer.propose(10);
  const auto estimate = transfer.estimate(chosen, at(devices.new_ms, chosen));
  CHECK(rank_correlation(estimate.time_ms, devices.new_ms) > 0.99);
  const double mean_device = rank_correlation(devices.known_ms.rowwise().mean(), devices.new_ms);
  CHECK(rank_correlation(estimate.time_ms, devices.new_ms) > mean_device);
  double error = 0.0;
  int within_two = 0;
  for (Eigen::Index i = 0; i < 300; ++i) {
    const double relative = std::abs(std::log(estimate.time_ms(i) / devices.new_ms(i)));
    error += relative / 300.0;
    within_two += relative <= 2.0 * estimate.rel_deviation(i) ? 1 : 0;
  }
  CHECK(error < 0.08);
  CHECK(within_two > 240);
}

TEST_CASE("Estimates do not depend on the unit of time", "[latency][property]") {
  const Devices devices = made_devices(120);
  const DeviceTransfer transfer(devices.known_ms, devices.features);
  const auto chosen = transfer.propose(6);
  const auto ms = transfer.estimate(chosen, at(devices.new_ms, chosen));
  const auto us = transfer.estimate(chosen, at(1000.0 * devices.new_ms, chosen));
  CHECK((us.prior == ms.prior));
  for (Eigen::Index i = 0; i < 120; ++i) {
    CHECK(us.time_ms(i) == Approx(1000.0 * ms.time_ms(i)).epsilon(1e-6));
  }
}

TEST_CASE("Proposals are different, nested and bounded", "[latency][property]") {
  const Devices devices = made_devices(40);
  const DeviceTransfer transfer(devices.known_ms, devices.features);
  const auto few = transfer.propose(5);
  const auto more = transfer.propose(12);
  CHECK((few == std::vector<std::size_t>(more.begin(), more.begin() + 5)));
  CHECK(std::set<std::size_t>(more.begin(), more.end()).size() == 12);
  CHECK(transfer.propose(100).size() == 40);
}

TEST_CASE("Measured archs are sure, others less so", "[latency][unit]") {
  const Devices devices = made_devices(150);
  const DeviceTransfer transfer(devices.known_ms, devices.features);
  const auto chosen = transfer.propose(8);
  const auto estimate = transfer.estimate(chosen, at(devices.new_ms, chosen));
  double measured = 0.0;
  for (const std::size_t i : chosen) {
    measured += estimate.rel_deviation(static_cast<Eigen::Index>(i)) / 8.0;
  }
  CHECK(measured < estimate.rel_deviation.mean());
}

TEST_CASE("Two known devices are enough, and all candidates may be alike", "[latency][unit]") {
  const Devices devices = made_devices(30);
  const DeviceTransfer two(devices.known_ms.leftCols(2), devices.features);
  const auto chosen = two.propose(4);
  CHECK(two.estimate(chosen, at(devices.new_ms, chosen)).time_ms.allFinite());
  const DeviceTransfer alike(Eigen::MatrixXd::Constant(20, 3, 2.0), Eigen::MatrixXd::Zero(20, 4));
  const auto estimate =
      alike.estimate(std::vector<std::size_t>{0, 1, 2}, std::vector<double>{3.0, 3.0, 3.0});
  for (Eigen::Index i = 0; i < 20; ++i) CHECK(estimate.time_ms(i) == Approx(3.0));
}

TEST_CASE("Networks that take nothing do not drown the others", "[latency][unit]") {
  const Eigen::VectorXd logs =
      log_without_outliers(std::vector<double>{1e-6, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0});
  CHECK(logs(8) == Approx(std::log(8.0)));
  CHECK(logs(1) == Approx(0.0).margin(1e-12));
  CHECK(logs(0) < logs(1));
  CHECK(logs(0) == Approx(std::log(2.0) - 1.5 * std::log(3.0)));
  const Eigen::VectorXd constant =
      log_without_outliers(std::vector<double>{2.0, 2.0, 2.0, 2.0, 2.0, 9.0});
  CHECK(constant(5) == Approx(std::log(9.0)));
  CHECK(log_without_outliers({}).size() == 0);
}

TEST_CASE("A device's own measurements tell its other networks", "[latency][unit]") {
  const Devices devices = made_devices(200);
  std::vector<std::size_t> measured;
  for (std::size_t i = 0; i < 200; i += 3) measured.push_back(i);
  const Eigen::VectorXd own =
      estimate_candidates(devices.features, measured, at(devices.new_ms, measured));
  CHECK(rank_correlation(own, devices.new_ms) > 0.99);
  CHECK_THROWS_AS(estimate_candidates(devices.features, std::vector<std::size_t>{1, 200},
                                      std::vector<double>{1.0, 1.0}),
                  std::invalid_argument);
}

TEST_CASE("A transfer says what it cannot work with", "[latency][error]") {
  const Devices devices = made_devices(30);
  CHECK_THROWS_WITH(DeviceTransfer(devices.known_ms, devices.features.topRows(20)),
                    "30 candidates but features of 20");
  CHECK_THROWS_WITH(DeviceTransfer(devices.known_ms.leftCols(1), devices.features),
                    "a transfer needs at least 2 known devices and 3 candidates, got 1 and 30");
  Eigen::MatrixXd bad = devices.known_ms;
  bad(3, 1) = 0.0;
  CHECK_THROWS_WITH(DeviceTransfer(bad, devices.features),
                    "latencies of known devices must be positive, features finite");
  const DeviceTransfer transfer(devices.known_ms, devices.features);
  using Chosen = std::vector<std::size_t>;
  using Times = std::vector<double>;
  CHECK_THROWS_WITH(transfer.estimate(Chosen{1, 2}, Times{1.0, 2.0}),
                    "a transfer needs at least 3 measurements, got 2");
  CHECK_THROWS_WITH(transfer.estimate(Chosen{1, 2, 3}, Times{1.0, 2.0}),
                    "3 candidates but 2 measurements");
  CHECK_THROWS_WITH(transfer.estimate(Chosen{1, 2, 30}, Times{1.0, 2.0, 3.0}),
                    "measurement 2 must be positive and of one of 30 candidates, got 3 ms of 30");
  CHECK_THROWS_AS(transfer.estimate(Chosen{1, 2, 3}, Times{1.0, -2.0, 3.0}), std::invalid_argument);
}

}  // namespace omnifit::latency
