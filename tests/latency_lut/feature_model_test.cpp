#include "latency_lut/feature_model.hpp"

#include "core/rng.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;

/// Networks of `layers` layers of a width each, whose work adds up.
struct Networks {
  Eigen::MatrixXd features;
  std::vector<double> ms;

  explicit Networks(int count, std::uint64_t seed) : features(count, 3) {
    core::Rng rng = core::Rng::stream(seed, core::Purpose::kFit);
    for (Eigen::Index i = 0; i < features.rows(); ++i) {
      const double layers = 1.0 + static_cast<double>(rng.below(6));
      const double width = 256.0 + 64.0 * static_cast<double>(rng.below(12));
      features.row(i) << layers, width, 7.0;  // a constant column says nothing
      ms.push_back(3.0 + layers * (2.0 + 0.01 * width));
    }
  }
  [[nodiscard]] double error(const FeatureModel& model) const {
    const Eigen::VectorXd guess = model.predict(features);
    double sum = 0.0;
    for (std::size_t i = 0; i < ms.size(); ++i) {
      sum += std::abs(guess(static_cast<Eigen::Index>(i)) / ms[i] - 1.0);
    }
    return sum / static_cast<double>(ms.size());
  }
};

}  // namespace

TEST_CASE("A feature model finds what adds up and what multiplies", "[latency][unit]") {
  const Networks known(120, 1);
  const Networks unseen(200, 2);
  const FeatureModel model = FeatureModel::fit(known.features, known.ms, 1);
  CHECK(model.uses_products());
  CHECK(unseen.error(model) < 0.005);
  CHECK(model.cross_validated_error() < 0.005);
  CHECK(model.penalty() > 0.0);
  const FeatureModel again = FeatureModel::fit(known.features, known.ms, 1);
  CHECK((again.predict(unseen.features) == model.predict(unseen.features)));
}

TEST_CASE("A feature model of few networks leaves products out", "[latency][unit]") {
  Networks known(14, 3);
  core::Rng rng = core::Rng::stream(9, core::Purpose::kFit);
  Eigen::MatrixXd features = Eigen::MatrixXd::NullaryExpr(14, 8, [&] { return rng.uniform(); });
  for (Eigen::Index i = 0; i < 14; ++i) {
    known.ms[static_cast<std::size_t>(i)] = 1.0 + 5.0 * features(i, 0) + 2.0 * features(i, 1);
  }
  const FeatureModel model = FeatureModel::fit(features, known.ms, 1);
  CHECK_FALSE(model.uses_products());
  const Eigen::VectorXd guess = model.predict(features);
  for (Eigen::Index i = 0; i < 14; ++i) {
    CHECK(guess(i) == Approx(known.ms[static_cast<std::size_t>(i)]).epsilon(0.05));
  }
}

TEST_CASE("Disturbed timings do not pull a feature model", "[latency][property]") {
  Networks known(200, 4);
  for (std::size_t i = 0; i < known.ms.size(); i += 8) known.ms[i] *= 1.8;
  const Networks unseen(200, 5);
  CHECK(unseen.error(FeatureModel::fit(known.features, known.ms, 1)) < 0.01);
}

TEST_CASE("The unit of time makes no difference to a feature model", "[latency][property]") {
  const Networks known(60, 6);
  std::vector<double> slow = known.ms;
  for (double& time_ms : slow) time_ms *= 1000.0;
  const FeatureModel model = FeatureModel::fit(known.features, known.ms, 1);
  const FeatureModel other = FeatureModel::fit(known.features, slow, 1);
  const Eigen::VectorXd ratio =
      other.predict(known.features).array() / model.predict(known.features).array();
  CHECK(ratio.minCoeff() == Approx(1000.0));
  CHECK(ratio.maxCoeff() == Approx(1000.0));
}

TEST_CASE("A feature model never says that a network takes no time", "[latency][property]") {
  const Networks known(60, 7);
  const FeatureModel model = FeatureModel::fit(known.features, known.ms, 1);
  Eigen::MatrixXd far(1, 3);
  far << -500.0, 100.0, 7.0;
  CHECK(model.predict(far)(0) > 0.0);
}

TEST_CASE("A feature model wants enough rows with positive times", "[latency][error]") {
  Networks known(9, 8);
  CHECK_THROWS_WITH(FeatureModel::fit(known.features, known.ms, 1),
                    "a model needs at least 10 networks with a time each, got 9 and 9 times");
  Networks enough(12, 8);
  CHECK_THROWS_AS(FeatureModel::fit(enough.features, known.ms, 1), std::invalid_argument);
  enough.ms[3] = 0.0;
  CHECK_THROWS_WITH(FeatureModel::fit(enough.features, enough.ms, 1),
                    ContainsSubstring("times positive"));
  enough.ms[3] = 1.0;
  enough.features(0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(FeatureModel::fit(enough.features, enough.ms, 1), std::invalid_argument);
  const Networks good(12, 8);
  CHECK_THROWS_WITH(FeatureModel::fit(good.features, good.ms, 1).predict(Eigen::MatrixXd(1, 2)),
                    "the model was fitted on 3 features, got 2");
}

}  // namespace omnifit::latency
