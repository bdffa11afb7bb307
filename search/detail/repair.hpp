#pragma once

#include "search/detail/gene_effects.hpp"
#include "search/detail/genetics.hpp"
#include "search/detail/screen.hpp"

#include <optional>

namespace omnifit::search::detail {

/// Changes one gene after another until the screen admits the arch: each time the one that brings
/// it nearest to the bounds per value it loses, by `effects`. nullopt where no single change helps.
std::optional<Choices> repair(const Genetics& genetics, const Screen& screen,
                              const Choices& choices, const GeneEffects& effects);

}  // namespace omnifit::search::detail
