#include "learn/regressors.hpp"

#include "core/error.hpp"
#include "learn/gaussian_process.hpp"
#include "learn/ridge.hpp"

namespace omnifit::learn {

const core::EnumTable<ModelChoice>& model_choices() {
  static const core::EnumTable<ModelChoice> table = {
      {ModelChoice::kAuto, "auto"},
      {ModelChoice::kRidge, "ridge"},
      {ModelChoice::kGaussianProcess, "gaussian_process"},
  };
  return table;
}

std::vector<ModelChoice> concrete_models(ModelChoice choice) {
  if (choice == ModelChoice::kAuto) return {ModelChoice::kRidge, ModelChoice::kGaussianProcess};
  return {choice};
}

std::unique_ptr<Regressor> make_regressor(ModelChoice choice) {
  switch (choice) {
    case ModelChoice::kRidge:
      return std::make_unique<RidgeRegressor>();
    case ModelChoice::kGaussianProcess:
      return std::make_unique<GaussianProcessRegressor>();
    case ModelChoice::kAuto:
      break;
  }
  OMNIFIT_CHECK(false, "make_regressor needs a concrete model");
}

std::unique_ptr<Regressor> restore_regressor(std::string_view kind,
                                             std::span<const std::byte> bytes) {
  if (kind == "ridge") return std::make_unique<RidgeRegressor>(RidgeRegressor::restore(bytes));
  if (kind == "gaussian_process") {
    return std::make_unique<GaussianProcessRegressor>(GaussianProcessRegressor::restore(bytes));
  }
  throw DataError(fmt::format(
      "unknown kind of predictor '{}' (known: ridge, gaussian_process); it may come from a newer "
      "version",
      kind));
}

}  // namespace omnifit::learn
