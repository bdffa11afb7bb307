#pragma once

#include <string>

namespace omnifit::core {

/// "0.1.0".
const char* version();
/// Short git revision the binary was built from, with "+" if the tree had changes; "unknown"
/// outside git.
const char* git_revision();

}  // namespace omnifit::core
