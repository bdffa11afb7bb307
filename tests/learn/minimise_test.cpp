#include "learn/detail/minimise.hpp"

#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>

namespace omnifit::learn::detail {
namespace {

double rosenbrock(const Eigen::VectorXd& p, Eigen::VectorXd* gradient) {
  const double a = 1.0 - p(0);
  const double b = p(1) - p(0) * p(0);
  if (gradient) {
    gradient->resize(2);
    *gradient << -2.0 * a - 400.0 * p(0) * b, 200.0 * b;
  }
  return a * a + 100.0 * b * b;
}

}  // namespace

TEST_CASE("The minimum of a bent valley is found", "[learn][unit]") {
  const Minimum found = minimise(rosenbrock, Eigen::Vector2d(-1.2, 1.0), -5.0, 5.0, 1e-14, 500);
  CHECK(found.point(0) == Approx(1.0).margin(1e-4));
  CHECK(found.point(1) == Approx(1.0).margin(1e-4));
  CHECK(found.value < 1e-8);
}

TEST_CASE("The box is kept", "[learn][unit]") {
  const Minimum found = minimise(rosenbrock, Eigen::Vector2d(-0.3, 0.1), -0.5, 0.5, 1e-14, 500);
  CHECK(found.point.cwiseAbs().maxCoeff() <= 0.5);
  CHECK(found.value < rosenbrock(Eigen::Vector2d(-0.3, 0.1), nullptr));
}

TEST_CASE("Points without a value are stepped back from", "[learn][unit]") {
  const Objective objective = [](const Eigen::VectorXd& p, Eigen::VectorXd* gradient) {
    if (p(0) <= 0.0) return std::numeric_limits<double>::infinity();
    if (gradient) {
      gradient->resize(1);
      (*gradient)(0) = 1.0 - 0.01 / p(0);
    }
    return p(0) - 0.01 * std::log(p(0));
  };
  const Minimum found = minimise(objective, Eigen::VectorXd::Ones(1), -10.0, 10.0, 1e-12, 100);
  CHECK(found.point(0) == Approx(0.01).epsilon(1e-3));
}

TEST_CASE("No step is taken from a minimum", "[learn][unit]") {
  const Minimum found = minimise(rosenbrock, Eigen::Vector2d(1.0, 1.0), -5.0, 5.0, 1e-3, 10);
  CHECK(found.point == Eigen::Vector2d(1.0, 1.0));
  CHECK(found.value == 0.0);
}

}  // namespace omnifit::learn::detail
