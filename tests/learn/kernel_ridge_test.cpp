#include "learn/kernel_ridge.hpp"

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

Data bowl(int rows, std::uint64_t seed) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  Data data{Eigen::MatrixXd(rows, 3), Eigen::VectorXd(rows)};
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < 3; ++j) data.x(i, j) = rng.uniform(-1.0, 1.0);
    data.y(i) = data.x.row(i).squaredNorm() + 0.5 * data.x(i, 0) + 0.02 * rng.normal();
  }
  return data;
}

/// Kernel of two sides with columns 0 and 1 in one group, column 2 in another.
Eigen::MatrixXd naive_kernel(const Eigen::MatrixXd& samples, const Eigen::MatrixXd& a,
                             const Eigen::MatrixXd& b, double sharpness) {
  const Eigen::RowVectorXd mean = samples.colwise().mean();
  const Eigen::RowVectorXd spread =
      2.0 * (samples.rowwise() - mean).array().square().colwise().mean();
  const double first = spread(0) + spread(1);
  const Eigen::RowVector3d weight(0.5 / first, 0.5 / first, 0.5 / spread(2));
  Eigen::MatrixXd kernel(a.rows(), b.rows());
  for (Eigen::Index i = 0; i < a.rows(); ++i) {
    for (Eigen::Index j = 0; j < b.rows(); ++j) {
      kernel(i, j) = std::exp(-sharpness * (a.row(i) - b.row(j)).cwiseAbs2().dot(weight));
    }
  }
  return kernel;
}

}  // namespace

TEST_CASE("Kernel regression equals its formula", "[learn][property]") {
  const Data data = bowl(40, 1);
  KernelRidgeRegressor model({0, 0, 1});
  model.fit(data.x, data.y);
  const Eigen::MatrixXd queries = bowl(12, 2).x;
  Eigen::MatrixXd kernel = naive_kernel(data.x, data.x, data.x, model.sharpness());
  kernel.diagonal().array() += model.penalty();
  const Eigen::VectorXd targets = data.y.array() - data.y.mean();
  const Eigen::VectorXd expected =
      naive_kernel(data.x, queries, data.x, model.sharpness()) * kernel.inverse() * targets;
  const Prediction prediction = model.predict(queries);
  for (Eigen::Index i = 0; i < queries.rows(); ++i) {
    CHECK(prediction.mean(i) == Approx(data.y.mean() + expected(i)).epsilon(1e-7));
    CHECK(prediction.deviation(i) == model.leave_one_out_rmse());
  }
}

TEST_CASE("The leave-one-out error is what leaving out gives", "[learn][property]") {
  const Data data = bowl(25, 3);
  KernelRidgeRegressor model({0, 0, 1});
  model.fit(data.x, data.y);
  const Eigen::Index n = data.x.rows();
  const Eigen::MatrixXd kernel = naive_kernel(data.x, data.x, data.x, model.sharpness());
  const Eigen::VectorXd targets = data.y.array() - data.y.mean();
  double squares = 0.0;
  for (Eigen::Index left = 0; left < n; ++left) {
    std::vector<Eigen::Index> others;
    for (Eigen::Index i = 0; i < n; ++i) {
      if (i != left) others.push_back(i);
    }
    Eigen::MatrixXd among = kernel(others, others);
    among.diagonal().array() += model.penalty();
    const Eigen::VectorXd alpha = among.inverse() * targets(others);
    const double predicted = kernel(left, others).dot(alpha);
    squares += (predicted - targets(left)) * (predicted - targets(left));
  }
  CHECK(model.leave_one_out_rmse() ==
        Approx(std::sqrt(squares / static_cast<double>(n))).epsilon(1e-6));
}

TEST_CASE("A curved function is learnt from more samples than the tuning takes", "[learn][unit]") {
  const Data data = bowl(KernelRidgeRegressor::kMaxTuningSamples + 30, 4);
  KernelRidgeRegressor model;
  model.fit(data.x, data.y);
  const Data others = bowl(100, 5);
  CHECK((model.predict(others.x).mean - others.y).array().abs().mean() < 0.03);
}

}  // namespace omnifit::learn
