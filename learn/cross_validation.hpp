#pragma once

#include "core/rng.hpp"
#include "learn/regressor.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace omnifit::learn {

/// Fold (0 … folds - 1) of every sample: a random partition whose parts differ by at most one
/// sample.
/// @throws std::invalid_argument unless 2 <= folds <= num_samples.
std::vector<int> assign_folds(int num_samples, int folds, core::Rng& rng);

/// Prediction of every sample by the model that was fitted without its fold.
///
/// Folds are independent, so the result is the same for any `threads`.
/// @throws std::invalid_argument as assign_folds and Regressor::fit do.
Eigen::VectorXd cross_validate(const std::function<std::unique_ptr<Regressor>()>& make,
                               const Eigen::MatrixXd& x, const Eigen::VectorXd& y, int folds,
                               core::Rng& rng, int threads = 1);

}  // namespace omnifit::learn
