#pragma once

#include "pipeline/budget.hpp"
#include "space/additive_cost.hpp"
#include "space/arch.hpp"
#include "space/search_space.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::pipeline {

/// The sum over units behind a quantity; nullptr where it is none.
using SumOf = std::function<const space::AdditiveCost*(const Quantity&)>;

/// Why no network can keep all limits of a budget at once, in one line for people: which of them
/// exclude each other and how near one can get. Empty where they can be kept together, and where
/// that is not known before the search. Limits that are no sums over units are left out.
std::string conflict_text(const space::SearchSpace& space, const std::vector<Limit>& limits,
                          const SumOf& sum_of);

/// A network that keeps all limits of a budget at once which are sums over units: where they are
/// tight a search cannot count on drawing one. nullopt if fewer than two of them are sums, and
/// where none was found. Deterministic.
std::optional<space::Arch> joint_witness(const space::SearchSpace& space,
                                         const std::vector<Limit>& limits, const SumOf& sum_of);

}  // namespace omnifit::pipeline
