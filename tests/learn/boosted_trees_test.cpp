#include "learn/boosted_trees.hpp"

#include "core/rng.hpp"
#include "learn/metrics.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>

namespace omnifit::learn {
namespace {

struct Data {
  Eigen::MatrixXd x;
  Eigen::VectorXd y;
};

/// An interaction that no sum of single columns explains, in columns of very different units.
Data checkers(int rows, std::uint64_t seed) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  Data data{Eigen::MatrixXd(rows, 4), Eigen::VectorXd(rows)};
  for (int i = 0; i < rows; ++i) {
    const bool a = rng.bernoulli(0.5);
    const bool b = rng.bernoulli(0.5);
    data.x.row(i) << (a ? 1e6 : -1e6), (b ? 1e-6 : 0.0), rng.uniform(), rng.normal();
    data.y(i) = (a ? 0.2 : 0.0) + (a == b ? 1.0 : 0.0) + 0.01 * rng.normal();
  }
  return data;
}

}  // namespace

TEST_CASE("Trees learn interactions in any unit", "[learn][unit]") {
  const Data data = checkers(200, 1);
  BoostedTreesRegressor model;
  model.fit(data.x, data.y);
  const Data others = checkers(200, 2);
  const Prediction prediction = model.predict(others.x);
  CHECK((prediction.mean - others.y).array().abs().mean() < 0.1);  // the targets spread over 1.2
  CHECK(model.out_of_part_rmse() < 0.15);
  CHECK(prediction.deviation.minCoeff() >= model.out_of_part_rmse());

  Data scaled = data;
  scaled.x *= 4.0;  // a power of two: thresholds scale exactly
  BoostedTreesRegressor other;
  other.fit(scaled.x, scaled.y);
  CHECK(other.predict(4.0 * others.x).mean == prediction.mean);
}

TEST_CASE("Boosting stops where trees only learn noise", "[learn][unit]") {
  core::Rng rng = core::Rng::stream(3, core::Purpose::kTest);
  Data data{Eigen::MatrixXd(100, 5), Eigen::VectorXd(100)};
  for (double& value : data.x.reshaped()) value = rng.normal();
  for (double& value : data.y) value = rng.normal();
  BoostedTreesRegressor model;
  model.fit(data.x, data.y);
  REQUIRE(model.num_trees().size() == BoostedTreesRegressor::kMaxBoosters);
  for (const int trees : model.num_trees()) CHECK(trees < 60);
  CHECK(model.predict(data.x).mean.array().abs().maxCoeff() < 1.5);
}

TEST_CASE("The seed decides what trees see", "[learn][unit]") {
  const Data data = checkers(80, 4);
  BoostedTreesRegressor a(1);
  BoostedTreesRegressor b(2);
  a.fit(data.x, data.y);
  b.fit(data.x, data.y);
  CHECK(a.predict(data.x).mean != b.predict(data.x).mean);
}

TEST_CASE("Saved trees that walk in circles are refused", "[learn][error]") {
  const Data data = checkers(40, 5);
  BoostedTreesRegressor model;
  model.fit(data.x, data.y);
  auto bytes = model.save();
  // Tag, number of boosters, number of nodes, then the first node: its left child becomes itself.
  constexpr std::size_t kFirstNode = 3 * 8;
  for (std::size_t i = 0; i < 4; ++i) bytes[kFirstNode + i] = std::byte{0};
  CHECK_THROWS_WITH(BoostedTreesRegressor::restore(bytes),
                    "saved boosted_trees model: the values contradict each other");
}

}  // namespace omnifit::learn
