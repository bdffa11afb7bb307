#include "core/error.hpp"
#include "core/rng.hpp"
#include "learn/metrics.hpp"
#include "learn/regressors.hpp"
#include "tests/support/catch.hpp"

#include <limits>
#include <stdexcept>

namespace omnifit::learn {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Data {
  Eigen::MatrixXd x;
  Eigen::VectorXd y;
};

/// One-hot-like inputs, a constant column, and targets with a linear and a curved part.
Data make_data(int rows, std::uint64_t seed) {
  constexpr int kColumns = 13;
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  Data data{Eigen::MatrixXd(rows, kColumns), Eigen::VectorXd(rows)};
  for (int i = 0; i < rows; ++i) {
    double sum = 0.0;
    for (int j = 0; j < kColumns; ++j) {
      const double value = j == 4 ? 1.0 : static_cast<double>(rng.below(2));
      data.x(i, j) = value;
      sum += value * (j + 1);
    }
    data.y(i) = 0.9 - 20.0 / (sum + 30.0) + 1e-3 * rng.normal();
  }
  return data;
}

/// Trees need more samples than smooth models to say the same.
bool is_of_trees(ModelChoice choice) { return choice == ModelChoice::kBoostedTrees; }

bool has_networks(ModelChoice choice) {
  return choice == ModelChoice::kMlpEnsemble || choice == ModelChoice::kEnsemble;
}

bool same_bits(const Prediction& a, const Prediction& b) {
  return a.mean == b.mean && a.deviation == b.deviation;
}

std::unique_ptr<Regressor> fitted(ModelChoice choice, const Data& data) {
  auto model = make_regressor(choice);
  model->fit(data.x, data.y);
  return model;
}

}  // namespace

TEST_CASE("Every regressor keeps the contract", "[learn][contract]") {
  const ModelChoice choice =
      GENERATE(ModelChoice::kRidge, ModelChoice::kGaussianProcess, ModelChoice::kKernelRidge,
               ModelChoice::kBoostedTrees, ModelChoice::kMlpEnsemble, ModelChoice::kEnsemble);
  const Data data = make_data(60, 1);
  const Data queries = make_data(101, 2);
  const auto model = fitted(choice, data);
  CAPTURE(model->kind());
  const Prediction all = model->predict(queries.x);

  SECTION("it learns") {
    const std::span<const double> predicted(all.mean.data(), 101);
    const std::span<const double> truth(queries.y.data(), 101);
    CHECK(kendall_tau(predicted, truth) > (is_of_trees(choice) ? 0.65 : 0.9));
    CHECK(r2(predicted, truth) > (is_of_trees(choice) ? 0.75 : 0.9));
    CHECK(all.deviation.minCoeff() > 0.0);
  }
  SECTION("the mean alone has the same bits") {
    CHECK(model->predict_mean(queries.x) == all.mean);
    CHECK_THROWS_AS(model->predict_mean(queries.x.leftCols(5)), std::invalid_argument);
    CHECK_THROWS_AS(make_regressor(choice)->predict_mean(queries.x), StateError);
  }
  SECTION("fitting twice gives the same bits") {
    CHECK(same_bits(fitted(choice, data)->predict(queries.x), all));
    CHECK(fitted(choice, data)->save() == model->save());
  }
  SECTION("the deviation tells how far off it is") {
    const Eigen::ArrayXd error = (all.mean - queries.y).array().abs();
    CHECK((error <= 3.0 * all.deviation.array() + 3e-3).cast<double>().mean() > 0.8);
    CHECK(all.deviation.maxCoeff() < 0.2);  // the targets spread over about 0.4
  }
  SECTION("fitting again forgets the first fit") {
    auto again = fitted(choice, make_data(37, 5));
    again->fit(data.x, data.y);
    CHECK(again->save() == model->save());
    CHECK(same_bits(again->predict(queries.x), all));
  }
  SECTION("a row's prediction does not depend on the batch it is in") {
    for (Eigen::Index size : {1, 2, 31, 32, 33, 64}) {
      for (Eigen::Index start = 0; start + size <= queries.x.rows(); start += size + 7) {
        const Prediction part = model->predict(queries.x.middleRows(start, size));
        REQUIRE(part.mean == all.mean.segment(start, size));
        REQUIRE(part.deviation == all.deviation.segment(start, size));
      }
    }
    CHECK(model->predict(queries.x.topRows(0)).mean.size() == 0);
  }
  SECTION("saved and restored it predicts the same bits") {
    const auto bytes = model->save();
    const auto restored = restore_regressor(model->kind(), bytes);
    CHECK(restored->kind() == model->kind());
    CHECK(same_bits(restored->predict(queries.x), all));
    CHECK(restored->save() == bytes);
  }
  SECTION("damaged bytes are refused") {
    auto bytes = model->save();
    auto cut = bytes;
    cut.resize(cut.size() - 3);
    CHECK_THROWS_WITH(restore_regressor(model->kind(), cut),
                      ContainsSubstring("the bytes end too early"));
    auto longer = bytes;
    longer.push_back(std::byte{0});
    CHECK_THROWS_WITH(restore_regressor(model->kind(), longer),
                      ContainsSubstring("there are bytes behind its end"));
    auto other = bytes;
    other[0] ^= std::byte{1};
    CHECK_THROWS_WITH(restore_regressor(model->kind(), other),
                      ContainsSubstring("another kind of model or another version"));
    auto huge = bytes;
    for (std::size_t i = 8; i < 16; ++i) huge[i] = std::byte{0xff};  // the first size
    CHECK_THROWS_AS(restore_regressor(model->kind(), huge), DataError);
    auto nan = bytes;
    for (std::size_t i = nan.size() - 8; i < nan.size(); ++i) nan[i] = std::byte{0xff};
    CHECK_THROWS_WITH(restore_regressor(model->kind(), nan),
                      ContainsSubstring("a number is not finite"));
    CHECK_THROWS_AS(restore_regressor(model->kind(), {}), DataError);
  }
  SECTION("constant targets are predicted exactly, without deviation") {
    auto constant = make_regressor(choice);
    constant->fit(data.x, Eigen::VectorXd::Constant(60, 0.1));
    const Prediction prediction = constant->predict(queries.x);
    CHECK((prediction.mean.array() == 0.1).all());
    CHECK((prediction.deviation.array() == 0.0).all());
    const auto restored = restore_regressor(constant->kind(), constant->save());
    CHECK(same_bits(restored->predict(queries.x), prediction));
  }
  SECTION("duplicate rows and equal inputs with different targets are no trouble") {
    Data twice{Eigen::MatrixXd(120, data.x.cols()), Eigen::VectorXd(120)};
    twice.x << data.x, data.x;
    twice.y << data.y, (data.y.array() + 0.01).matrix();
    const Prediction prediction = fitted(choice, twice)->predict(data.x);
    CHECK(prediction.mean.mean() == Approx(data.y.mean() + 0.005).margin(2e-3));
    const Data same{Eigen::MatrixXd::Ones(8, 3), Eigen::VectorXd::LinSpaced(8, 0.0, 7.0)};
    // Networks that miss a part each know the mean of what they saw.
    CHECK(fitted(choice, same)->predict(Eigen::MatrixXd::Ones(1, 3)).mean(0) ==
          Approx(3.5).epsilon(has_networks(choice) ? 5e-3 : 1e-5));
  }
  SECTION("the fewest samples are enough") {
    const Data two{data.x.topRows(2), data.y.head(2)};
    CHECK(fitted(choice, two)->predict(queries.x).mean.allFinite());
  }
  SECTION("wrong input is refused") {
    auto fresh = make_regressor(choice);
    CHECK_THROWS_AS(fresh->predict(queries.x), StateError);
    CHECK_THROWS_AS(fresh->save(), StateError);
    CHECK_THROWS_WITH(fresh->fit(data.x.topRows(1), data.y.head(1)),
                      ContainsSubstring(": needs at least 2 samples, got 1"));
    CHECK_THROWS_WITH(fresh->fit(data.x, data.y.head(59)),
                      ContainsSubstring(": 60 rows of inputs but 59 targets"));
    Data nan = data;
    nan.x(3, 2) = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH(fresh->fit(nan.x, nan.y),
                      ContainsSubstring(": an input or target is not a finite number"));
    nan = data;
    nan.y(3) = std::numeric_limits<double>::infinity();
    CHECK_THROWS_AS(fresh->fit(nan.x, nan.y), std::invalid_argument);
    CHECK_THROWS_WITH(model->predict(queries.x.leftCols(5)),
                      ContainsSubstring(": fitted on 13 columns, asked about 5"));
    Eigen::MatrixXd query = queries.x.topRows(1);
    query(0, 0) = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH(model->predict(query),
                      ContainsSubstring(": an input is not a finite number"));
  }
}

TEST_CASE("An unknown kind is named with the known ones", "[learn][error]") {
  CHECK_THROWS_WITH(
      restore_regressor("forest", {}),
      "unknown kind of predictor 'forest' (known: ridge, gaussian_process, "
      "kernel_ridge, boosted_trees, mlp_ensemble, ensemble); it may come from a newer "
      "version");
  CHECK_THROWS_AS(restore_regressor("auto", {}), DataError);
}

TEST_CASE("Every choice but auto makes the model it names", "[learn][unit]") {
  CHECK(single_models().size() + 2 == model_choices().size());  // auto, ensemble
  for (const auto& [choice, name] : model_choices()) {
    if (choice != ModelChoice::kAuto) CHECK(make_regressor(choice)->kind() == name);
  }
}

TEST_CASE("Groups that do not fit the columns are refused", "[learn][error]") {
  const Data data = make_data(20, 1);
  for (const ModelChoice choice :
       {ModelChoice::kGaussianProcess, ModelChoice::kKernelRidge, ModelChoice::kMlpEnsemble}) {
    const std::string kind = core::enum_name(model_choices(), choice);
    const auto few = make_regressor(choice, {{0, 0, 1}, 0});
    CHECK_THROWS_WITH(few->fit(data.x, data.y),
                      kind + ": 13 columns need as many groups numbered from 0, got 3");
    const auto negative = make_regressor(choice, {std::vector<int>(13, -1), 0});
    CHECK_THROWS_AS(negative->fit(data.x, data.y), std::invalid_argument);
  }
}

}  // namespace omnifit::learn
