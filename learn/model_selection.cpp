#include "learn/model_selection.hpp"

#include "core/rng.hpp"
#include "learn/cross_validation.hpp"
#include "learn/ensemble.hpp"
#include "learn/metrics.hpp"

#include <cmath>
#include <span>

namespace omnifit::learn {
namespace {

/// Index of the stream under Purpose::kFit.
constexpr std::uint64_t kFolds = 1;

core::Rng fold_stream(std::uint64_t seed) {
  return core::Rng::stream(seed, core::Purpose::kFit, {kFolds});
}

ModelScore judge(ModelChoice model, const Eigen::VectorXd& predicted, const Eigen::VectorXd& y) {
  const std::span<const double> p(predicted.data(), static_cast<std::size_t>(predicted.size()));
  const std::span<const double> m(y.data(), static_cast<std::size_t>(y.size()));
  const double tau = kendall_tau(p, m);
  return {model, std::isnan(tau) ? 0.0 : tau, rmse(p, m)};
}

/// Predictions of the average, each with weights that come from the other folds.
Eigen::VectorXd stacked(const Eigen::MatrixXd& predictions, const Eigen::VectorXd& y,
                        const std::vector<int>& fold_of, int folds) {
  Eigen::VectorXd result(y.size());
  for (int fold = 0; fold < folds; ++fold) {
    std::vector<Eigen::Index> inside;
    std::vector<Eigen::Index> outside;
    for (std::size_t i = 0; i < fold_of.size(); ++i) {
      (fold_of[i] == fold ? inside : outside).push_back(static_cast<Eigen::Index>(i));
    }
    const std::vector<double> weights =
        stacking_weights(predictions(outside, Eigen::all), y(outside));
    const Eigen::Map<const Eigen::VectorXd> w(weights.data(),
                                              static_cast<Eigen::Index>(weights.size()));
    result(inside) = predictions(inside, Eigen::all) * w;
  }
  return result;
}

}  // namespace

std::unique_ptr<Regressor> Selection::make(const RegressorOptions& options) const {
  return weights.empty() ? make_regressor(model, options) : make_ensemble(weights, options);
}

Selection select_model(ModelChoice choice, const RegressorOptions& options,
                       const Eigen::MatrixXd& x, const Eigen::VectorXd& y, int folds,
                       std::uint64_t seed, int threads) {
  Selection selection;
  selection.model = choice;
  if (choice != ModelChoice::kAuto && choice != ModelChoice::kEnsemble) return selection;

  const std::vector<ModelChoice>& models = single_models();
  RegressorOptions of_fold = options;
  of_fold.threads = 1;  // folds run side by side already
  Eigen::MatrixXd predictions(x.rows(), static_cast<Eigen::Index>(models.size()));
  for (std::size_t i = 0; i < models.size(); ++i) {
    core::Rng rng = fold_stream(seed);  // the same folds for every model
    const auto make = [&] { return make_regressor(models[i], of_fold); };
    const auto column = static_cast<Eigen::Index>(i);
    predictions.col(column) = cross_validate(make, x, y, folds, rng, threads);
    selection.scores.push_back(judge(models[i], predictions.col(column), y));
  }
  core::Rng rng = fold_stream(seed);
  const std::vector<int> fold_of = assign_folds(static_cast<int>(x.rows()), folds, rng);
  selection.scores.push_back(
      judge(ModelChoice::kEnsemble, stacked(predictions, y, fold_of, folds), y));

  if (choice == ModelChoice::kAuto && x.rows() < kMinChoiceSamples) {
    selection.model = ModelChoice::kEnsemble;
  } else if (choice == ModelChoice::kAuto) {
    const ModelScore* best = &selection.scores.front();
    for (const ModelScore& score : selection.scores) {
      if (score.kendall_tau > best->kendall_tau) best = &score;
    }
    selection.model = best->model;
  }
  if (selection.model == ModelChoice::kEnsemble) {
    selection.weights = stacking_weights(predictions, y);
  }
  return selection;
}

}  // namespace omnifit::learn
