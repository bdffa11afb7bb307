#pragma once

#include "core/fields.hpp"
#include "learn/regressor.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::learn {

/// What a configuration can ask for. kAuto leaves the choice to cross-validation.
enum class ModelChoice { kAuto, kRidge, kGaussianProcess };

/// "auto", "ridge", "gaussian_process".
const core::EnumTable<ModelChoice>& model_choices();

/// The concrete models behind a choice: all of them for kAuto, in a fixed order (simplest first).
std::vector<ModelChoice> concrete_models(ModelChoice choice);

/// An unfitted model. @pre not kAuto
std::unique_ptr<Regressor> make_regressor(ModelChoice choice);

/// Inverse of Regressor::save. @throws DataError naming an unknown kind and the known ones, or
/// saying what is wrong with the bytes.
std::unique_ptr<Regressor> restore_regressor(std::string_view kind,
                                             std::span<const std::byte> bytes);

}  // namespace omnifit::learn
