#include "learn/prior_regressor.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "learn/metrics.hpp"
#include "learn/regressors.hpp"
#include "learn/ridge.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>

namespace omnifit::learn {
namespace {

struct Data {
  Eigen::MatrixXd x;
  Eigen::VectorXd y;
};

/// y is mostly a line over the prior (the last column), which is a curved function of twenty
/// others, and a little of the first column.
Data make_data(int rows, std::uint64_t seed) {
  constexpr int kColumns = 20;
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  Data data{Eigen::MatrixXd(rows, kColumns + 1), Eigen::VectorXd(rows)};
  for (int i = 0; i < rows; ++i) {
    double prior = 0.0;
    for (int j = 0; j < kColumns; ++j) {
      data.x(i, j) = rng.normal();
      prior += std::sin(3.0 * data.x(i, j) + j);
    }
    data.x(i, kColumns) = prior;
    data.y(i) = 0.02 * prior + 0.7 + 0.01 * data.x(i, 0) + 1e-3 * rng.normal();
  }
  return data;
}

double tau(const Regressor& model, const Data& data) {
  const Eigen::VectorXd mean = model.predict_mean(data.x);
  const auto size = static_cast<std::size_t>(mean.size());
  return kendall_tau({mean.data(), size}, {data.y.data(), size});
}

PriorRegressor on_prior() { return PriorRegressor(std::make_unique<RidgeRegressor>()); }

}  // namespace

TEST_CASE("a prior says what few samples cannot, and the samples correct it", "[learn][unit]") {
  const Data data = make_data(25, 1);
  const Data queries = make_data(200, 2);
  PriorRegressor model = on_prior();
  CHECK(model.kind() == "ridge_on_prior");
  model.fit(data.x, data.y);
  CHECK(model.use() != PriorRegressor::Use::kNone);
  RidgeRegressor without;
  without.fit(data.x.leftCols(20), data.y);
  const Data alone{queries.x.leftCols(20), queries.y};
  CHECK(tau(model, queries) > 0.9);
  CHECK(tau(model, queries) > tau(without, alone) + 0.3);
  const Prediction prediction = model.predict(queries.x);
  CHECK(prediction.mean == model.predict_mean(queries.x));
  for (Eigen::Index i = 0; i < queries.x.rows(); ++i) {
    REQUIRE(model.predict_mean(queries.x.middleRows(i, 1))(0) == prediction.mean(i));
  }
}

TEST_CASE("a prior that says nothing does no harm", "[learn][unit]") {
  Data data = make_data(60, 3);
  PriorRegressor model = on_prior();
  RidgeRegressor without;
  data.x.rightCols<1>().setConstant(0.75);
  model.fit(data.x, data.y);
  without.fit(data.x, data.y);
  CHECK(model.scale() == 0.0);
  CHECK((model.predict_mean(data.x) - without.predict_mean(data.x)).cwiseAbs().maxCoeff() < 1e-9);

  // Noise that a line would follow is not taken where the inputs say everything.
  core::Rng rng = core::Rng::stream(8, core::Purpose::kTest);
  data.y = data.x.leftCols(20) * Eigen::VectorXd::LinSpaced(20, 0.1, 1.0);
  for (Eigen::Index i = 0; i < 60; ++i) data.x(i, 20) = data.y(i) + 5.0 * rng.normal();
  model.fit(data.x, data.y);
  CHECK(model.use() != PriorRegressor::Use::kLine);
  CHECK(model.scale() == 0.0);
  CHECK(tau(model, data) > 0.99);
}

TEST_CASE("with very few samples the prior's line is taken", "[learn][unit]") {
  const Data data = make_data(8, 6);
  PriorRegressor model = on_prior();
  model.fit(data.x, data.y);
  CHECK(model.use() == PriorRegressor::Use::kLine);
  CHECK(model.scale() == Approx(0.02).epsilon(0.25));
  CHECK(model.offset() == Approx(0.7).epsilon(0.02));
  CHECK(tau(model, make_data(200, 7)) > 0.85);
}

TEST_CASE("a model that is told how to use its prior does not compare", "[learn][unit]") {
  const Data data = make_data(30, 9);
  PriorRegressor model(std::make_unique<RidgeRegressor>(), PriorRegressor::Use::kInput);
  model.fit(data.x, data.y);
  CHECK(model.use() == PriorRegressor::Use::kInput);
  RidgeRegressor plain;
  plain.fit(data.x, data.y);
  CHECK(model.predict_mean(data.x) == plain.predict_mean(data.x));
  const auto network = make_regressor(ModelChoice::kMlpEnsemble, {{}, 0, true});
  CHECK(network->kind() == "mlp_ensemble_on_prior");
  network->fit(data.x, data.y);
  CHECK(restore_regressor(network->kind(), network->save())->save() == network->save());
}

TEST_CASE("a model on a prior survives saving", "[learn][unit]") {
  const Data data = make_data(30, 4);
  PriorRegressor model = on_prior();
  model.fit(data.x, data.y);
  const auto bytes = model.save();
  const PriorRegressor restored = PriorRegressor::restore(bytes);
  CHECK(restored.kind() == "ridge_on_prior");
  CHECK(restored.predict_mean(data.x) == model.predict_mean(data.x));
  CHECK(restored.save() == bytes);
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    CHECK_THROWS_AS(PriorRegressor::restore(std::span(bytes).first(size)), DataError);
  }
}

TEST_CASE("a model on a prior refuses what its model refuses", "[learn][error]") {
  const Data data = make_data(30, 5);
  CHECK_THROWS_AS(on_prior().predict(data.x), StateError);
  CHECK_THROWS_AS(on_prior().save(), StateError);
  CHECK_THROWS_WITH(on_prior().fit(Eigen::MatrixXd(30, 0), data.y),
                    "ridge_on_prior: the prior must be a column of the inputs");
  CHECK_THROWS_AS(on_prior().fit(data.x, data.y.head(3)), std::invalid_argument);
  Eigen::MatrixXd bad = data.x;
  bad(3, 20) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(on_prior().fit(bad, data.y), std::invalid_argument);
  CHECK_THROWS_AS(PriorRegressor(std::make_unique<PriorRegressor>(on_prior())), BugError);
}

}  // namespace omnifit::learn
