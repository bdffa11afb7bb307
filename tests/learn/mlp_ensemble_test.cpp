#include "learn/mlp_ensemble.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "learn/detail/bytes.hpp"
#include "learn/detail/small_network.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <numeric>
#include <vector>

namespace omnifit::learn {
namespace {

struct Data {
  Eigen::MatrixXd x;
  Eigen::VectorXd y;
};

/// A wave over the first column and a line over the second; the third says nothing.
Data wave(int rows, std::uint64_t seed, double noise = 0.0) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  Data data{Eigen::MatrixXd(rows, 3), Eigen::VectorXd(rows)};
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < 3; ++j) data.x(i, j) = rng.uniform(-1.0, 1.0);
    data.y(i) = std::sin(3.0 * data.x(i, 0)) + 0.5 * data.x(i, 1) + 5.0 + noise * rng.normal();
  }
  return data;
}

double mean_squared_error(const detail::SmallNetwork& network, const Eigen::VectorXf& weights,
                          const Eigen::MatrixXf& samples, const Eigen::VectorXf& targets) {
  return (network.outputs(weights, samples) - targets).cast<double>().squaredNorm() /
         static_cast<double>(targets.size());
}

}  // namespace

TEST_CASE("The gradient of a network is that of finite differences", "[learn][property]") {
  constexpr int kInputs = 4;
  constexpr int kSamples = 40;
  const detail::SmallNetwork network(kInputs);
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest);
  Eigen::VectorXf weights(network.num_weights());
  for (float& weight : weights) weight = 0.3F * static_cast<float>(rng.normal());
  Eigen::MatrixXf samples(kInputs, kSamples);
  for (float& value : samples.reshaped()) value = static_cast<float>(rng.normal());
  Eigen::VectorXf targets(kSamples);
  for (float& value : targets) value = static_cast<float>(rng.normal());

  Eigen::VectorXf gradient;
  network.gradient(weights, samples, targets.transpose(), gradient);
  REQUIRE(gradient.size() == network.num_weights());
  // Along random directions: single weights say too little in single precision.
  for (int trial = 0; trial < 20; ++trial) {
    Eigen::VectorXf direction(weights.size());
    for (float& value : direction) value = static_cast<float>(rng.normal());
    constexpr float kStep = 2e-3F;
    const double ahead = mean_squared_error(network, weights + kStep * direction, samples, targets);
    const double behind =
        mean_squared_error(network, weights - kStep * direction, samples, targets);
    const double slope = (ahead - behind) / (2.0 * static_cast<double>(kStep));
    CHECK(slope == Approx(static_cast<double>(gradient.dot(direction))).epsilon(0.02).margin(0.02));
  }
}

TEST_CASE("Every part of a network has its gradient", "[learn][property]") {
  const detail::SmallNetwork network(2);
  core::Rng rng = core::Rng::stream(2, core::Purpose::kTest);
  Eigen::VectorXf weights(network.num_weights());
  for (float& weight : weights) weight = 0.5F * static_cast<float>(rng.normal());
  const Eigen::MatrixXf samples = Eigen::MatrixXf::Random(2, 8);
  const Eigen::RowVectorXf targets = Eigen::RowVectorXf::Constant(8, 3.0F);
  Eigen::VectorXf gradient;
  network.gradient(weights, samples, targets, gradient);
  CHECK((gradient.array() != 0.0F).all());
}

TEST_CASE("Networks learn a wave and a line at once", "[learn][unit]") {
  const Data data = wave(150, 3);
  MlpEnsembleRegressor model({0, 1, 2}, 7);
  model.fit(data.x, data.y);
  CHECK(model.num_members() == MlpEnsembleRegressor::kMaxMembers);
  const Data others = wave(200, 4);
  const Prediction prediction = model.predict(others.x);
  CHECK((prediction.mean - others.y).array().abs().mean() < 0.04);
  CHECK(model.out_of_part_rmse() < 0.1);
}

TEST_CASE("A network is less sure where it has seen nothing", "[learn][property]") {
  const Data data = wave(80, 5, 0.02);
  MlpEnsembleRegressor model({}, 1);
  model.fit(data.x, data.y);
  const Eigen::MatrixXd far = 4.0 * wave(50, 6).x;
  CHECK(model.predict(far).deviation.mean() > 1.5 * model.predict(data.x).deviation.mean());
  CHECK(model.predict(data.x).deviation.minCoeff() >= model.out_of_part_rmse());
}

TEST_CASE("Networks trained on any number of threads are the same", "[learn][property]") {
  const Data data = wave(60, 7, 0.1);
  MlpEnsembleRegressor one({}, 3, 1);
  one.fit(data.x, data.y);
  MlpEnsembleRegressor three({}, 3, 3);
  three.fit(data.x, data.y);
  CHECK(one.save() == three.save());
  MlpEnsembleRegressor other_seed({}, 4, 1);
  other_seed.fit(data.x, data.y);
  CHECK(one.save() != other_seed.save());
}

TEST_CASE("Saved networks that contradict each other are refused", "[learn][error]") {
  const auto saved = [](Eigen::Index num_weights, double y_scale, std::uint64_t count) {
    detail::ByteWriter out("mlp_ensemble", 1);
    out.integer(count);
    for (std::uint64_t m = 0; m < count; ++m) out.float_matrix(Eigen::VectorXf::Zero(num_weights));
    out.vector(Eigen::VectorXd::Zero(3));
    out.vector(Eigen::VectorXd::Ones(3));
    out.real(0.0);
    out.real(y_scale);
    out.real(0.1);
    return out.take();
  };
  const Eigen::Index proper = detail::SmallNetwork(3).num_weights();
  CHECK(MlpEnsembleRegressor::restore(saved(proper, 1.0, 2)).num_members() == 2);
  const char* const kMessage = "saved mlp_ensemble model: the values contradict each other";
  CHECK_THROWS_WITH(MlpEnsembleRegressor::restore(saved(proper - 1, 1.0, 2)), kMessage);
  CHECK_THROWS_WITH(MlpEnsembleRegressor::restore(saved(proper, 0.0, 2)), kMessage);
  CHECK_THROWS_WITH(MlpEnsembleRegressor::restore(saved(proper, 1.0, 0)), kMessage);
  CHECK_THROWS_WITH(MlpEnsembleRegressor::restore(saved(proper, 1.0, 6)), kMessage);
}

}  // namespace omnifit::learn
