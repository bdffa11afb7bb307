#include "learn/ensemble.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/metrics.hpp"
#include "learn/model_selection.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace omnifit::learn {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Data {
  Eigen::MatrixXd x;
  Eigen::VectorXd y;
};

Data curve(int rows, std::uint64_t seed) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  Data data{Eigen::MatrixXd(rows, 4), Eigen::VectorXd(rows)};
  for (double& value : data.x.reshaped()) value = rng.uniform(-1.0, 1.0);
  for (int i = 0; i < rows; ++i) {
    data.y(i) = std::sin(3.0 * data.x(i, 0)) + data.x(i, 1) + 0.05 * rng.normal();
  }
  return data;
}

EnsembleRegressor::Members two_members() {
  EnsembleRegressor::Members members;
  members.push_back(make_regressor(ModelChoice::kRidge));
  members.push_back(make_regressor(ModelChoice::kGaussianProcess));
  return members;
}

}  // namespace

TEST_CASE("The average is the weighted mean, its deviation that of the mixture",
          "[learn][property]") {
  const Data data = curve(50, 1);
  const Eigen::MatrixXd queries = curve(20, 2).x;
  EnsembleRegressor ensemble(two_members(), {1.0, 3.0});
  ensemble.fit(data.x, data.y);
  CHECK(ensemble.weights() == std::vector{0.25, 0.75});
  const Prediction a = ensemble.members()[0]->predict(queries);
  const Prediction b = ensemble.members()[1]->predict(queries);
  const Prediction both = ensemble.predict(queries);
  for (Eigen::Index i = 0; i < queries.rows(); ++i) {
    const double mean = 0.25 * a.mean(i) + 0.75 * b.mean(i);
    const double second = 0.25 * (a.deviation(i) * a.deviation(i) + a.mean(i) * a.mean(i)) +
                          0.75 * (b.deviation(i) * b.deviation(i) + b.mean(i) * b.mean(i));
    CHECK(both.mean(i) == Approx(mean));
    CHECK(both.deviation(i) == Approx(std::sqrt(second - mean * mean)).epsilon(1e-6));
  }
}

TEST_CASE("Weights that make no average are refused", "[learn][error]") {
  CHECK_THROWS_WITH(EnsembleRegressor({}), "ensemble: no members");
  const auto weights = GENERATE(std::vector{1.0}, std::vector{-1.0, 2.0}, std::vector{0.0, 0.0},
                                std::vector{std::nan(""), 1.0});
  CHECK_THROWS_WITH(EnsembleRegressor(two_members(), weights),
                    "ensemble: 2 members need as many weights of at least 0 with a positive sum");
  CHECK_THROWS_AS(make_ensemble(std::vector{1.0}), std::invalid_argument);
}

TEST_CASE("An average saved inside an average is refused", "[learn][error]") {
  const Data data = curve(20, 3);
  EnsembleRegressor inner(two_members());
  inner.fit(data.x, data.y);
  detail::ByteWriter out("ensemble", 1);
  out.integer(1);
  out.text("ensemble");
  out.bytes(inner.save());
  out.real(1.0);
  CHECK_THROWS_WITH(EnsembleRegressor::restore(out.take()),
                    "saved ensemble model: a member is an ensemble itself");
}

TEST_CASE("A damaged member is named", "[learn][error]") {
  detail::ByteWriter out("ensemble", 1);
  out.integer(1);
  out.text("ridge");
  out.bytes(std::vector<std::byte>(16));
  out.real(1.0);
  CHECK_THROWS_WITH(EnsembleRegressor::restore(out.take()),
                    ContainsSubstring("saved ridge model: "));
}

TEST_CASE("Stacking finds the best average", "[learn][property]") {
  core::Rng rng = core::Rng::stream(4, core::Purpose::kTest);
  const Eigen::Index n = 400;
  Eigen::VectorXd y(n);
  Eigen::MatrixXd predictions(n, 3);
  for (Eigen::Index i = 0; i < n; ++i) {
    y(i) = rng.normal();
    predictions.row(i) << y(i) + 0.1 * rng.normal(), y(i) + 0.2 * rng.normal(), rng.normal();
  }
  const std::vector<double> weights = stacking_weights(predictions, y);
  CHECK(std::accumulate(weights.begin(), weights.end(), 0.0) == Approx(1.0));
  // Independent errors: the best weights go with the inverse variances.
  CHECK(weights[0] == Approx(0.8).margin(0.06));
  CHECK(weights[1] == Approx(0.2).margin(0.06));
  CHECK(weights[2] < 0.02);
  const Eigen::Map<const Eigen::VectorXd> best(weights.data(), 3);
  const double least = (predictions * best - y).squaredNorm();
  for (int trial = 0; trial < 50; ++trial) {
    Eigen::Vector3d other(rng.uniform(), rng.uniform(), rng.uniform());
    other /= other.sum();
    CHECK((predictions * other - y).squaredNorm() > 0.99 * least);
  }
}

TEST_CASE("Members that say the same share the weight", "[learn][unit]") {
  const Eigen::VectorXd y = Eigen::VectorXd::LinSpaced(10, 0.0, 1.0);
  Eigen::MatrixXd predictions(10, 2);
  predictions << (y.array() + 0.1).matrix(), (y.array() + 0.1).matrix();
  const std::vector<double> weights = stacking_weights(predictions, y);
  CHECK(weights[0] == Approx(0.5));
  CHECK(weights[1] == Approx(0.5));
  predictions << y, y;  // nothing to improve
  CHECK(stacking_weights(predictions, y) == std::vector{0.5, 0.5});
  CHECK_THROWS_AS(stacking_weights(predictions.leftCols(0), y), std::invalid_argument);
  CHECK_THROWS_AS(stacking_weights(predictions.topRows(3), y), std::invalid_argument);
}

TEST_CASE("The choice is the best of the scores, the same for any threads", "[learn][property]") {
  const Data data = curve(kMinChoiceSamples, 5);
  const Selection one = select_model(ModelChoice::kAuto, {}, data.x, data.y, 5, 7, 1);
  const Selection two = select_model(ModelChoice::kAuto, {}, data.x, data.y, 5, 7, 2);
  REQUIRE(one.scores.size() == single_models().size() + 1);
  CHECK(one.model == two.model);
  CHECK(one.weights == two.weights);
  for (std::size_t i = 0; i < one.scores.size(); ++i) {
    CHECK(one.scores[i].kendall_tau == two.scores[i].kendall_tau);
    CHECK(one.scores[i].rmse == two.scores[i].rmse);
  }
  const auto best = std::max_element(
      one.scores.begin(), one.scores.end(),
      [](const ModelScore& a, const ModelScore& b) { return a.kendall_tau < b.kendall_tau; });
  CHECK(one.model == best->model);
  // A sine is no straight line.
  CHECK(one.scores[0].model == ModelChoice::kRidge);
  CHECK(one.model != ModelChoice::kRidge);
  CHECK(one.weights.empty() == (one.model != ModelChoice::kEnsemble));
}

TEST_CASE("From few samples auto takes the average", "[learn][unit]") {
  const Data data = curve(kMinChoiceSamples - 1, 5);
  const Selection few = select_model(ModelChoice::kAuto, {}, data.x, data.y, 5, 7);
  const Selection average = select_model(ModelChoice::kEnsemble, {}, data.x, data.y, 5, 7);
  CHECK(few.model == ModelChoice::kEnsemble);
  CHECK(few.weights == average.weights);
  CHECK(few.scores.size() == single_models().size() + 1);
}

TEST_CASE("A named model is taken as it is", "[learn][unit]") {
  const Data data = curve(30, 6);
  const Selection ridge = select_model(ModelChoice::kRidge, {}, data.x, data.y, 5, 7);
  CHECK(ridge.model == ModelChoice::kRidge);
  CHECK(ridge.scores.empty());
  CHECK(ridge.make({})->kind() == "ridge");

  const Selection average = select_model(ModelChoice::kEnsemble, {}, data.x, data.y, 5, 7);
  CHECK(average.model == ModelChoice::kEnsemble);
  CHECK(average.scores.size() == single_models().size() + 1);
  REQUIRE(average.weights.size() == single_models().size());
  CHECK(std::accumulate(average.weights.begin(), average.weights.end(), 0.0) == Approx(1.0));
  CHECK(average.make({})->kind() == "ensemble");
}

TEST_CASE("Of equal models the simplest is chosen", "[learn][unit]") {
  const Eigen::MatrixXd x = curve(kMinChoiceSamples, 8).x;
  const Eigen::VectorXd y = Eigen::VectorXd::Constant(kMinChoiceSamples, 0.5);
  const Selection selection = select_model(ModelChoice::kAuto, {}, x, y, 5, 7);
  CHECK(selection.model == ModelChoice::kRidge);
  for (const ModelScore& score : selection.scores) CHECK(score.kendall_tau == 0.0);
}

}  // namespace omnifit::learn
