#pragma once

#include "core/rng.hpp"
#include "search/evaluator.hpp"
#include "search/problem.hpp"
#include "space/search_space.hpp"

#include <cstddef>
#include <vector>

namespace omnifit::search::detail {

/// Archs whose sizes are spread evenly: many are drawn, the range of their sizes is cut into
/// `count` equal parts, and one arch of each part is taken; parts that none fell into are made up
/// for by others. Size is the first metric of `exact` (may be null) that the problem names and that
/// is minimised; without one, the mean choice of the genes, from 0 to 1.
std::vector<space::Arch> size_strata(const space::SearchSpace& space, Evaluator* exact,
                                     const Problem& problem, std::size_t count, core::Rng rng);

}  // namespace omnifit::search::detail
