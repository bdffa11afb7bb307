#include "learn/gaussian_process.hpp"

#include "core/rng.hpp"
#include "learn/detail/process_posterior.hpp"
#include "tests/support/catch.hpp"

#include <Eigen/Dense>

#include <cmath>
#include <numbers>

namespace omnifit::learn {
namespace {

using Kernel = GaussianProcessRegressor::Kernel;

/// Samples of a smooth function on a line.
struct Data {
  Eigen::MatrixXd x;
  Eigen::VectorXd y;
};
Data wave(int rows, double noise, std::uint64_t seed) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  Data data{Eigen::MatrixXd(rows, 1), Eigen::VectorXd(rows)};
  for (int i = 0; i < rows; ++i) {
    data.x(i, 0) = rng.uniform(0.0, 6.0);
    data.y(i) = std::sin(2.0 * data.x(i, 0)) + noise * rng.normal();
  }
  return data;
}

/// Samples of a function of the first two of three columns.
Data plane(int rows, std::uint64_t seed) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  Data data{Eigen::MatrixXd(rows, 3), Eigen::VectorXd(rows)};
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < 3; ++j) data.x(i, j) = rng.uniform(0.0, 3.0);
    data.y(i) = std::sin(2.0 * data.x(i, 0)) + 0.3 * data.x(i, 1) + 0.05 * rng.normal();
  }
  return data;
}

/// The textbook formulas with explicit inverses, in the regressor's standardised units.
struct NaiveProcess {
  Eigen::VectorXd mean, deviation;
  double log_marginal_likelihood = 0.0;

  /// Every column is a group of its own.
  NaiveProcess(const Data& d, const Eigen::MatrixXd& queries,
               const GaussianProcessRegressor::HyperParameters& p) {
    const auto n = d.x.rows();
    const Eigen::RowVectorXd x_mean = d.x.colwise().mean();
    const Eigen::RowVectorXd scale =
        (2.0 * (d.x.rowwise() - x_mean).array().square().colwise().mean()).sqrt();
    const auto z = [&](const Eigen::MatrixXd& m, Eigen::Index i) -> Eigen::RowVectorXd {
      return (m.row(i) - x_mean).cwiseQuotient(scale);
    };
    const auto k = [&](const Eigen::RowVectorXd& a, const Eigen::RowVectorXd& b) {
      const double squared = (a - b).cwiseAbs2().dot(p.relevance);
      const double s = std::sqrt(5.0 * squared);
      const double stationary = p.kernel == Kernel::kRbf ? std::exp(-0.5 * squared)
                                                         : (1.0 + s + s * s / 3.0) * std::exp(-s);
      return stationary + 2.0 * a.cwiseProduct(b).dot(p.linear);
    };
    Eigen::MatrixXd covariance(n, n);
    for (Eigen::Index i = 0; i < n; ++i) {
      for (Eigen::Index j = 0; j < n; ++j) covariance(i, j) = k(z(d.x, i), z(d.x, j));
    }
    covariance.diagonal().array() += p.noise_ratio;
    const double y_mean = d.y.mean();
    const double y_scale = std::sqrt((d.y.array() - y_mean).square().mean());
    const Eigen::VectorXd t = (d.y.array() - y_mean) / y_scale;
    const Eigen::MatrixXd inverse = covariance.inverse();
    const double variance = t.dot(inverse * t) / static_cast<double>(n);
    const Eigen::MatrixXd full = variance * covariance;
    log_marginal_likelihood = -0.5 * t.dot(full.inverse() * t) -
                              0.5 * std::log(full.determinant()) -
                              0.5 * static_cast<double>(n) * std::log(2.0 * std::numbers::pi);
    mean.resize(queries.rows());
    deviation.resize(queries.rows());
    for (Eigen::Index q = 0; q < queries.rows(); ++q) {
      Eigen::VectorXd cross(n);
      for (Eigen::Index i = 0; i < n; ++i) cross(i) = k(z(d.x, i), z(queries, q));
      mean(q) = y_mean + y_scale * cross.dot(inverse * t);
      const double prior = k(z(queries, q), z(queries, q));
      deviation(q) =
          y_scale * std::sqrt(std::max(0.0, variance * (prior - cross.dot(inverse * cross))));
    }
  }
};

}  // namespace

TEST_CASE("The process equals the textbook's formulas", "[learn][property]") {
  const auto seed = static_cast<std::uint64_t>(GENERATE(1, 2, 3, 4));
  const Data data = wave(24, 0.2, seed);
  GaussianProcessRegressor process;
  process.fit(data.x, data.y);
  const Eigen::MatrixXd queries = Eigen::VectorXd::LinSpaced(15, -1.0, 8.0);
  const NaiveProcess naive(data, queries, process.hyper_parameters());
  const Prediction prediction = process.predict(queries);
  for (Eigen::Index i = 0; i < queries.rows(); ++i) {
    CHECK(prediction.mean(i) == Approx(naive.mean(i)).epsilon(1e-6).margin(1e-7));
    CHECK(prediction.deviation(i) == Approx(naive.deviation(i)).epsilon(1e-4).margin(1e-5));
  }
  CHECK(process.log_marginal_likelihood() == Approx(naive.log_marginal_likelihood).epsilon(1e-6));
}

TEST_CASE("Groups of columns have relevances of their own", "[learn][property]") {
  const auto seed = static_cast<std::uint64_t>(GENERATE(1, 2));
  const Data data = plane(40, seed);
  GaussianProcessRegressor process({0, 1, 2});
  process.fit(data.x, data.y);
  const Eigen::MatrixXd queries = plane(15, seed + 10).x;
  const NaiveProcess naive(data, queries, process.hyper_parameters());
  const Prediction prediction = process.predict(queries);
  for (Eigen::Index i = 0; i < queries.rows(); ++i) {
    CHECK(prediction.mean(i) == Approx(naive.mean(i)).epsilon(1e-6).margin(1e-7));
    CHECK(prediction.deviation(i) == Approx(naive.deviation(i)).epsilon(1e-4).margin(1e-5));
  }
  CHECK(process.log_marginal_likelihood() == Approx(naive.log_marginal_likelihood).epsilon(1e-6));
  // The third column says nothing.
  const auto& p = process.hyper_parameters();
  CHECK(p.relevance(0) + p.linear(0) > 4.0 * (p.relevance(2) + p.linear(2)));
}

TEST_CASE("The gradient of the posterior is its slope", "[learn][property]") {
  const auto kernel = GENERATE(Kernel::kRbf, Kernel::kMatern52);
  const Data data = plane(20, 3);
  const auto scaling = detail::GroupScaling::of("test", data.x, {0, 1, 0});
  const Eigen::VectorXd targets = data.y.array() - data.y.mean();
  const detail::ProcessPosterior posterior(scaling.apply(data.x), scaling, targets);
  Eigen::VectorXd point = posterior.start(0.5);
  point += 0.3 * Eigen::VectorXd::LinSpaced(point.size(), -1.0, 1.0);
  Eigen::VectorXd gradient;
  posterior(kernel, point, &gradient);
  constexpr double kStep = 1e-5;
  for (Eigen::Index i = 0; i < point.size(); ++i) {
    Eigen::VectorXd up = point;
    Eigen::VectorXd down = point;
    up(i) += kStep;
    down(i) -= kStep;
    const double slope =
        (posterior(kernel, up, nullptr) - posterior(kernel, down, nullptr)) / (2.0 * kStep);
    CHECK(gradient(i) == Approx(slope).epsilon(1e-4).margin(1e-5));
  }
}

TEST_CASE("The chosen hyper-parameters are near an optimum", "[learn][property]") {
  const Data data = wave(30, 0.1, 7);
  GaussianProcessRegressor process;
  process.fit(data.x, data.y);
  const auto& p = process.hyper_parameters();
  const auto scaling = detail::GroupScaling::of("test", data.x, {});
  const Eigen::ArrayXd centred = data.y.array() - data.y.mean();
  const Eigen::VectorXd targets = centred / std::sqrt(centred.square().mean());
  const detail::ProcessPosterior posterior(scaling.apply(data.x), scaling, targets);
  const Eigen::Vector3d best(std::log(p.relevance(0)), std::log(p.linear(0)),
                             std::log(p.noise_ratio));
  const double value = posterior(p.kernel, best, nullptr);
  for (Eigen::Index i = 0; i < best.size(); ++i) {
    for (const double step : {-0.7, -0.35, 0.35, 0.7}) {
      Eigen::VectorXd moved = best;
      moved(i) += step;
      CHECK(posterior(p.kernel, moved, nullptr) > value - 0.5);
    }
  }
}

TEST_CASE("A curve is learnt and uncertainty grows away from the samples", "[learn][unit]") {
  const Data data = wave(60, 0.01, 8);
  GaussianProcessRegressor process;
  process.fit(data.x, data.y);
  Eigen::MatrixXd queries(3, 1);
  queries << 1.5, 3.0, 14.0;
  const Prediction prediction = process.predict(queries);
  CHECK(prediction.mean(0) == Approx(std::sin(3.0)).margin(0.05));
  CHECK(prediction.mean(1) == Approx(std::sin(6.0)).margin(0.05));
  CHECK(prediction.deviation(2) > 10.0 * prediction.deviation(0));
}

TEST_CASE("The deviation is calibrated", "[learn][unit]") {
  const Data data = wave(50, 0.3, 9);
  GaussianProcessRegressor process;
  process.fit(data.x, data.y);
  const Eigen::MatrixXd queries = Eigen::VectorXd::LinSpaced(200, 0.3, 5.7);
  const Prediction prediction = process.predict(queries);
  int inside = 0;
  for (Eigen::Index i = 0; i < queries.rows(); ++i) {
    const double error = std::abs(prediction.mean(i) - std::sin(2.0 * queries(i, 0)));
    inside += error <= 2.0 * prediction.deviation(i) ? 1 : 0;
  }
  CHECK(inside >= 160);  // of 200, for two deviations
}

TEST_CASE("More samples than the tuning uses are all learnt from", "[learn][unit]") {
  constexpr int kRows = GaussianProcessRegressor::kMaxTuningSamples + 88;
  Data data = wave(kRows, 0.0, 10);
  GaussianProcessRegressor process;
  process.fit(data.x, data.y);
  const Prediction prediction = process.predict(data.x);
  CHECK((prediction.mean - data.y).array().abs().maxCoeff() < 0.01);
}

}  // namespace omnifit::learn
