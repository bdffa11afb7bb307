#include "learn/cross_validation.hpp"

#include "learn/regressors.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace omnifit::learn {
namespace {

/// Predicts the mean of its targets and remembers nothing else: shows what a fold was fitted on.
class MeanRegressor final : public Regressor {
 public:
  void fit(const Eigen::MatrixXd&, const Eigen::VectorXd& y) override { mean_ = y.mean(); }
  [[nodiscard]] Prediction predict(const Eigen::MatrixXd& x) const override {
    return {Eigen::VectorXd::Constant(x.rows(), mean_), Eigen::VectorXd::Zero(x.rows())};
  }
  [[nodiscard]] std::vector<std::byte> save() const override { return {}; }
  [[nodiscard]] std::string kind() const override { return "mean"; }

 private:
  double mean_ = 0.0;
};

core::Rng rng() { return core::Rng::stream(5, core::Purpose::kTest); }

}  // namespace

TEST_CASE("Folds are a random partition of even parts", "[learn][property]") {
  const int folds = GENERATE(2, 3, 5, 17);
  auto stream = rng();
  const std::vector<int> fold_of = assign_folds(17, folds, stream);
  std::vector<int> sizes(static_cast<std::size_t>(folds));
  for (int fold : fold_of) ++sizes.at(static_cast<std::size_t>(fold));
  const auto [smallest, largest] = std::minmax_element(sizes.begin(), sizes.end());
  CHECK(*largest - *smallest <= 1);
  CHECK_FALSE(std::is_sorted(fold_of.begin(), fold_of.end()));
}

TEST_CASE("Every sample is predicted by the model that never saw its fold", "[learn][unit]") {
  const Eigen::VectorXd y = Eigen::VectorXd::LinSpaced(11, 1.0, 11.0);
  const Eigen::MatrixXd x = Eigen::MatrixXd::Zero(11, 1);
  auto stream = rng();
  const std::vector<int> fold_of = assign_folds(11, 4, stream);
  stream = rng();
  const Eigen::VectorXd predicted =
      cross_validate([] { return std::make_unique<MeanRegressor>(); }, x, y, 4, stream);
  for (std::size_t i = 0; i < 11; ++i) {
    double sum = 0.0;
    double count = 0.0;
    for (std::size_t j = 0; j < 11; ++j) {
      if (fold_of[j] == fold_of[i]) continue;
      sum += y(static_cast<Eigen::Index>(j));
      count += 1.0;
    }
    CHECK(predicted(static_cast<Eigen::Index>(i)) == Approx(sum / count));
  }
}

TEST_CASE("Cross-validation does not depend on the number of threads", "[learn][property]") {
  core::Rng data = core::Rng::stream(9, core::Purpose::kTest);
  Eigen::MatrixXd x(40, 3);
  for (double& value : x.reshaped()) value = data.normal();
  const Eigen::VectorXd y = x.rowwise().sum();
  const auto run = [&](int threads) {
    auto stream = rng();
    return cross_validate([] { return make_regressor(ModelChoice::kGaussianProcess); }, x, y, 5,
                          stream, threads);
  };
  CHECK(run(1) == run(4));
}

TEST_CASE("The number of folds must fit the samples", "[learn][error]") {
  auto stream = rng();
  CHECK_THROWS_WITH(assign_folds(4, 5, stream), "folds must be in [2, 4], got 5");
  CHECK_THROWS_AS(assign_folds(4, 1, stream), std::invalid_argument);
}

}  // namespace omnifit::learn
