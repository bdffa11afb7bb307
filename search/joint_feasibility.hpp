#pragma once

#include "space/additive_cost.hpp"
#include "space/arch.hpp"
#include "space/search_space.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace omnifit::search {

/// A limit of a cost that is a sum over genes, in the cost's unit.
struct AdditiveLimit {
  const space::AdditiveCost* cost = nullptr;
  double value = 0.0;
  bool at_least = false;  ///< a lower limit rather than an upper one
  [[nodiscard]] bool kept_by(double amount) const {
    return at_least ? amount >= value : amount <= value;
  }
};

enum class Feasibility {
  kFeasible,    ///< an arch that keeps all limits was found
  kInfeasible,  ///< proven: no arch of the space keeps all of them
  kUnknown      ///< neither was found in the time allowed
};

/// What is known of several limits before anything is searched.
struct JointFeasibility {
  Feasibility state = Feasibility::kUnknown;
  std::optional<space::Arch> witness;  ///< of kFeasible
  std::vector<std::size_t> conflict;   ///< of kInfeasible: limits that alone make it so, ascending
};

/// Decides whether any arch keeps all limits at once. An arch of unknown cost keeps none.
///
/// For any weights of at least 0, the least weighted sum of the costs over the space, which dynamic
/// programming gives exactly, is at most the same sum of the limits if an arch keeps them; weights
/// for which it is more are a proof. The best weights come from cutting planes: each minimum is a
/// cut, and the game between cuts and weights gives the next weights. Where no weights prove it and
/// no arch found on the way keeps the limits, the space is split by the choices of a gene, and each
/// part is looked at likewise; what is left undecided after many minima is kUnknown. Small spaces
/// are always decided. Deterministic.
/// Sources: Kelley, "The cutting-plane method for solving convex programs", 1960; Geoffrion,
/// "Lagrangean relaxation for integer programming", 1974.
/// @throws std::invalid_argument if there is no limit, one is not finite, or no arch's cost is
/// known.
JointFeasibility decide_feasibility(const space::SearchSpace& space,
                                    std::span<const AdditiveLimit> limits);

/// What one of several limits would have to be for the others to be kept with it.
struct NearestLimit {
  std::size_t limit = 0;  ///< index
  double reached = 0.0;   ///< an arch that keeps the others has this
  space::Arch arch;
};

/// Limits that exclude each other.
struct LimitConflict {
  std::vector<std::size_t> limits;    ///< ascending; without any one of them the rest can be kept,
                                      ///< as far as that could be decided
  std::vector<NearestLimit> nearest;  ///< of those limits for which one was found
};

/// A proof that no arch keeps all limits, reduced to limits that are needed for it, with how near
/// one can get (to about 1 %). nullopt if they can be kept together or nothing is known.
/// @throws std::invalid_argument as decide_feasibility.
std::optional<LimitConflict> find_conflict(const space::SearchSpace& space,
                                           std::span<const AdditiveLimit> limits);

}  // namespace omnifit::search
