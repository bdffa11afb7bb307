#pragma once

#include "space/sampling.hpp"

#include <optional>
#include <vector>

namespace omnifit::space::detail {

/// Number of canonical archs of a gene table; nullopt if it does not fit 128 bits.
std::optional<Count> count_archs(const std::vector<Gene>& genes);

}  // namespace omnifit::space::detail
