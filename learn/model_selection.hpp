#pragma once

#include "learn/regressors.hpp"

#include <Eigen/Core>

#include <cstdint>
#include <memory>
#include <vector>

namespace omnifit::learn {

/// How well a model predicts samples it did not learn from.
struct ModelScore {
  ModelChoice model = ModelChoice::kRidge;
  double kendall_tau = 0.0;  ///< 0 where there is no order to predict
  double rmse = 0.0;
};

/// A model that was chosen, and why.
struct Selection {
  ModelChoice model = ModelChoice::kRidge;  ///< never kAuto
  std::vector<double> weights;     ///< of the single models; empty unless the model is kEnsemble
  std::vector<ModelScore> scores;  ///< of every model that was considered, single ones first

  /// An unfitted model of this choice.
  [[nodiscard]] std::unique_ptr<Regressor> make(const RegressorOptions& options) const;
};

/// With fewer samples, auto takes the average: ranking so few cannot tell models apart.
inline constexpr int kMinChoiceSamples = 100;

/// Chooses between the single models and their average by cross-validated Kendall tau, the simplest
/// of equals; from fewer than kMinChoiceSamples samples it takes the average. A single model named
/// by `choice` is taken as it is, without any score; of kEnsemble the weights of the members are
/// found by cross-validation.
///
/// The average is judged by stacking: its weights come from the predictions of the other folds, so
/// that no sample has a say in the weights it is judged with. Equal for any `threads`.
/// @param seed of the folds
/// @throws std::invalid_argument as assign_folds and Regressor::fit do.
Selection select_model(ModelChoice choice, const RegressorOptions& options,
                       const Eigen::MatrixXd& x, const Eigen::VectorXd& y, int folds,
                       std::uint64_t seed, int threads = 1);

}  // namespace omnifit::learn
