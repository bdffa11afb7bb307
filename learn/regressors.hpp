#pragma once

#include "core/fields.hpp"
#include "learn/regressor.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::learn {

/// What a configuration can ask for. kAuto leaves the choice to cross-validation (model_selection).
enum class ModelChoice {
  kAuto,
  kRidge,
  kGaussianProcess,
  kKernelRidge,
  kBoostedTrees,
  kMlpEnsemble,
  kEnsemble  ///< the average of all single models
};

/// "auto", "ridge", "gaussian_process", "kernel_ridge", "boosted_trees", "mlp_ensemble",
/// "ensemble".
const core::EnumTable<ModelChoice>& model_choices();

/// The models that are no average of others, in a fixed order (simplest first).
const std::vector<ModelChoice>& single_models();

/// What models may be told about the columns and their randomness.
struct RegressorOptions {
  /// Of every column, numbered from 0: columns of one group stand for one thing (the choices of a
  /// gene, say) and share what distances between samples make of them. Empty: one group.
  std::vector<int> column_groups;
  std::uint64_t seed = 0;
  /// The last column is another predictor's opinion, which the models correct (PriorRegressor).
  bool last_column_is_prior = false;
  /// What one fit may use; results do not depend on it.
  int threads = 1;
};

/// An unfitted model; of kEnsemble the average of all single models with equal weights.
/// @pre not kAuto
std::unique_ptr<Regressor> make_regressor(ModelChoice choice, const RegressorOptions& options = {});

/// The average of all single models with these weights (as single_models() orders them); members of
/// weight 0 are left out. @throws std::invalid_argument as EnsembleRegressor does.
std::unique_ptr<Regressor> make_ensemble(std::span<const double> weights,
                                         const RegressorOptions& options = {});

/// Inverse of Regressor::save. @throws DataError naming an unknown kind and the known ones, or
/// saying what is wrong with the bytes.
std::unique_ptr<Regressor> restore_regressor(std::string_view kind,
                                             std::span<const std::byte> bytes);

}  // namespace omnifit::learn
