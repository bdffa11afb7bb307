#pragma once

#include "core/fields.hpp"
#include "space/plan.hpp"

namespace omnifit::space::detail {

/// Names of the activation functions, as they stand in space files and spec texts.
const core::EnumTable<Act>& act_table();

}  // namespace omnifit::space::detail
