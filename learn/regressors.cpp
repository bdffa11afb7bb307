#include "learn/regressors.hpp"

#include "core/error.hpp"
#include "learn/boosted_trees.hpp"
#include "learn/ensemble.hpp"
#include "learn/gaussian_process.hpp"
#include "learn/kernel_ridge.hpp"
#include "learn/mlp_ensemble.hpp"
#include "learn/prior_regressor.hpp"
#include "learn/ridge.hpp"

#include <optional>
#include <stdexcept>
#include <utility>

namespace omnifit::learn {
namespace {

template <class Model>
std::unique_ptr<Regressor> restored(std::span<const std::byte> bytes) {
  return std::make_unique<Model>(Model::restore(bytes));
}

ModelChoice choice_of_kind(std::string_view kind) {
  std::string known;
  for (const auto& [choice, name] : model_choices()) {
    if (choice == ModelChoice::kAuto) continue;
    if (name == kind) return choice;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  throw DataError(fmt::format(
      "unknown kind of predictor '{}' (known: {}); it may come from a newer version", kind, known));
}

}  // namespace

const core::EnumTable<ModelChoice>& model_choices() {
  static const core::EnumTable<ModelChoice> table = {
      {ModelChoice::kAuto, "auto"},
      {ModelChoice::kRidge, "ridge"},
      {ModelChoice::kGaussianProcess, "gaussian_process"},
      {ModelChoice::kKernelRidge, "kernel_ridge"},
      {ModelChoice::kBoostedTrees, "boosted_trees"},
      {ModelChoice::kMlpEnsemble, "mlp_ensemble"},
      {ModelChoice::kEnsemble, "ensemble"},
  };
  return table;
}

const std::vector<ModelChoice>& single_models() {
  static const std::vector<ModelChoice> models = {
      ModelChoice::kRidge, ModelChoice::kGaussianProcess, ModelChoice::kKernelRidge,
      ModelChoice::kBoostedTrees, ModelChoice::kMlpEnsemble};
  return models;
}

std::unique_ptr<Regressor> make_regressor(ModelChoice choice, const RegressorOptions& options) {
  if (options.last_column_is_prior && choice != ModelChoice::kEnsemble) {
    RegressorOptions own = options;
    own.last_column_is_prior = false;
    // Networks have a line of their own, and comparing three uses would take fifteen trainings.
    const auto use = choice == ModelChoice::kMlpEnsemble
                         ? std::optional(PriorRegressor::Use::kInput)
                         : std::nullopt;
    return std::make_unique<PriorRegressor>(make_regressor(choice, own), use);
  }
  switch (choice) {
    case ModelChoice::kRidge:
      return std::make_unique<RidgeRegressor>();
    case ModelChoice::kGaussianProcess:
      return std::make_unique<GaussianProcessRegressor>(options.column_groups);
    case ModelChoice::kKernelRidge:
      return std::make_unique<KernelRidgeRegressor>(options.column_groups);
    case ModelChoice::kBoostedTrees:
      return std::make_unique<BoostedTreesRegressor>(options.seed);
    case ModelChoice::kMlpEnsemble:
      return std::make_unique<MlpEnsembleRegressor>(options.column_groups, options.seed,
                                                    options.threads);
    case ModelChoice::kEnsemble:
      return make_ensemble(std::vector<double>(single_models().size(), 1.0), options);
    case ModelChoice::kAuto:
      break;
  }
  OMNIFIT_CHECK(false, "make_regressor needs a concrete model");
}

std::unique_ptr<Regressor> make_ensemble(std::span<const double> weights,
                                         const RegressorOptions& options) {
  const std::vector<ModelChoice>& models = single_models();
  if (weights.size() != models.size()) {
    throw std::invalid_argument(
        fmt::format("ensemble: {} models but {} weights", models.size(), weights.size()));
  }
  EnsembleRegressor::Members members;
  std::vector<double> used;
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (weights[i] == 0.0) continue;
    members.push_back(make_regressor(models[i], options));
    used.push_back(weights[i]);
  }
  return std::make_unique<EnsembleRegressor>(std::move(members), std::move(used));
}

std::unique_ptr<Regressor> restore_regressor(std::string_view kind,
                                             std::span<const std::byte> bytes) {
  if (kind.ends_with(PriorRegressor::kSuffix)) return restored<PriorRegressor>(bytes);
  switch (choice_of_kind(kind)) {
    case ModelChoice::kRidge:
      return restored<RidgeRegressor>(bytes);
    case ModelChoice::kGaussianProcess:
      return restored<GaussianProcessRegressor>(bytes);
    case ModelChoice::kKernelRidge:
      return restored<KernelRidgeRegressor>(bytes);
    case ModelChoice::kBoostedTrees:
      return restored<BoostedTreesRegressor>(bytes);
    case ModelChoice::kMlpEnsemble:
      return restored<MlpEnsembleRegressor>(bytes);
    case ModelChoice::kEnsemble:
      return restored<EnsembleRegressor>(bytes);
    case ModelChoice::kAuto:
      break;
  }
  OMNIFIT_CHECK(false, "a concrete kind is expected");
}

}  // namespace omnifit::learn
