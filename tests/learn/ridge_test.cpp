#include "learn/ridge.hpp"

#include "core/rng.hpp"
#include "tests/support/catch.hpp"

#include <Eigen/Dense>

#include <cmath>

namespace omnifit::learn {
namespace {

struct Data {
  Eigen::MatrixXd x;
  Eigen::VectorXd y;
};

Data make_data(int rows, int columns, std::uint64_t seed, double noise) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  Data data{Eigen::MatrixXd(rows, columns), Eigen::VectorXd(rows)};
  for (int i = 0; i < rows; ++i) {
    data.y(i) = 3.0 + noise * rng.normal();
    for (int j = 0; j < columns; ++j) {
      data.x(i, j) = 5.0 + (j + 1) * rng.normal();
      data.y(i) += (j % 3 - 1) * data.x(i, j);
    }
  }
  return data;
}

/// Ridge from its normal equations: standardised columns, free intercept, penalty lambda * n.
struct NaiveRidge {
  Eigen::RowVectorXd mean, scale;
  Eigen::VectorXd weights;
  double intercept = 0.0;

  NaiveRidge(const Data& d, double lambda, const Eigen::RowVectorXd& column_scale)
      : mean(d.x.colwise().mean()), scale(column_scale) {
    const Eigen::MatrixXd z = (d.x.rowwise() - mean).array().rowwise() / scale.array();
    Eigen::MatrixXd normal = z.transpose() * z;
    normal.diagonal().array() += lambda;
    weights = normal.ldlt().solve(z.transpose() * (d.y.array() - d.y.mean()).matrix());
    intercept = d.y.mean();
  }
  [[nodiscard]] double operator()(const Eigen::RowVectorXd& row) const {
    return intercept + ((row - mean).array() / scale.array()).matrix().dot(weights);
  }
};

Eigen::RowVectorXd column_scale(const Eigen::MatrixXd& x) {
  const Eigen::MatrixXd centred = x.rowwise() - x.colwise().mean();
  return (centred.colwise().squaredNorm() / static_cast<double>(x.rows())).array().sqrt();
}

}  // namespace

TEST_CASE("Ridge solves its normal equations", "[learn][property]") {
  const int columns = GENERATE(1, 4, 9);
  const Data data = make_data(25, columns, static_cast<std::uint64_t>(columns), 0.5);
  RidgeRegressor ridge;
  ridge.fit(data.x, data.y);
  const NaiveRidge naive(data, ridge.lambda() * 25.0, column_scale(data.x));
  const Prediction prediction = ridge.predict(data.x);
  for (Eigen::Index i = 0; i < data.x.rows(); ++i) {
    CHECK(prediction.mean(i) == Approx(naive(data.x.row(i))).epsilon(1e-9));
  }
}

TEST_CASE("The leave-one-out error is that of leaving every sample out", "[learn][property]") {
  const Data data = make_data(15, 6, 3, 4.0);
  RidgeRegressor ridge;
  ridge.fit(data.x, data.y);
  const Eigen::RowVectorXd scale = column_scale(data.x);
  const auto brute_force = [&](double lambda) {
    double squared = 0.0;
    for (Eigen::Index out = 0; out < 15; ++out) {
      std::vector<Eigen::Index> rest;
      for (Eigen::Index i = 0; i < 15; ++i) {
        if (i != out) rest.push_back(i);
      }
      const NaiveRidge model({data.x(rest, Eigen::all), data.y(rest)}, lambda * 15.0, scale);
      squared += std::pow(model(data.x.row(out)) - data.y(out), 2);
    }
    return std::sqrt(squared / 15.0);
  };
  CHECK(ridge.leave_one_out_rmse() == Approx(brute_force(ridge.lambda())).epsilon(1e-9));
  for (int exponent = -12; exponent <= 6; ++exponent) {
    CHECK(ridge.leave_one_out_rmse() <= brute_force(std::pow(10.0, exponent / 2.0)) + 1e-9);
  }
}

TEST_CASE("Ridge recovers a noiseless line, constant columns weigh nothing", "[learn][unit]") {
  Data data = make_data(40, 5, 4, 0.0);
  data.x.col(2).setConstant(7.0);
  data.y = (2.0 * data.x.col(0) - 3.0 * data.x.col(4)).array() + 1.5;
  RidgeRegressor ridge;
  ridge.fit(data.x, data.y);
  CHECK(ridge.weights()(0) == Approx(2.0).epsilon(1e-4));
  CHECK(ridge.weights()(1) == Approx(0.0).margin(1e-4));
  CHECK(ridge.weights()(2) == 0.0);
  CHECK(ridge.weights()(4) == Approx(-3.0).epsilon(1e-4));
  CHECK(ridge.intercept() == Approx(1.5).epsilon(1e-3));
}

TEST_CASE("Noise without a signal is penalised away", "[learn][unit]") {
  Data data = make_data(30, 20, 5, 0.0);
  core::Rng rng = core::Rng::stream(6, core::Purpose::kTest);
  for (double& y : data.y) y = rng.normal();
  RidgeRegressor ridge;
  ridge.fit(data.x, data.y);
  CHECK(ridge.lambda() >= 1.0);
}

TEST_CASE("More columns than samples are fine", "[learn][unit]") {
  const Data data = make_data(10, 50, 7, 0.1);
  RidgeRegressor ridge;
  ridge.fit(data.x, data.y);
  CHECK(std::isfinite(ridge.leave_one_out_rmse()));
  CHECK(ridge.predict(data.x).mean.allFinite());
}

}  // namespace omnifit::learn
