#pragma once

#include "space/arch.hpp"
#include "space/search_space.hpp"
#include "space/tabular.hpp"

#include <optional>
#include <span>

namespace omnifit::cli {

/// What `omnifit space` shows of a tabular space; `data` where the folder of its files was given.

/// Genes, metrics, and how many archs the files lack.
void print_tabular_overview(const space::SearchSpace& space,
                            const std::optional<space::TabularData>& data);

/// One row per arch: its text and every figure, "-" where the files have none. With `json` a list
/// of objects of "arch" and, where there are figures, "metrics".
void print_tabular_archs(const space::SearchSpace& space,
                         const std::optional<space::TabularData>& data,
                         std::span<const space::Arch> archs, bool json);

}  // namespace omnifit::cli
