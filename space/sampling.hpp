#pragma once

#include "core/rng.hpp"
#include "space/arch.hpp"

#include <optional>
#include <string>
#include <vector>

namespace omnifit::space {

/// Unsigned 128-bit count in decimal.
__extension__ using Count = unsigned __int128;
std::string to_string(Count count);

/// Which choices of each gene are open: the whole space, or the part a shrinking phase trains.
struct Subspace {
  std::vector<std::vector<std::uint8_t>>
      open;  ///< per gene: open choice indices, ascending, not empty
  static Subspace all(const SearchSpace& space);
  /// Per axis the `count` largest choices stay open; 0 or more than there are: all of them.
  void keep_largest(const SearchSpace& space, Axis axis, int count);
};

/// Draws every gene uniformly, then canonicalises (uniform over genotypes, as the reference
/// samples).
Arch sample(const SearchSpace& space, const Subspace& subspace, core::Rng& rng);
Arch sample(const SearchSpace& space, core::Rng& rng);
/// Draws a leaning towards small or large choices for each axis, then every gene with that leaning.
/// Uniform genes give networks of middle size almost only, because the many genes average out;
/// these spread over all sizes and all ways to reach them (deep and narrow, shallow and wide).
Arch sample_spread(const SearchSpace& space, core::Rng& rng);

/// Each active gene moves to a different choice with probability `prob`, one is forced if none
/// moved; genes that become active are drawn. Never equals its parent. nullopt in a space of one
/// point.
std::optional<Arch> mutate(const SearchSpace& space, const Arch& parent, double prob,
                           core::Rng& rng);
/// Per gene from either parent with equal chance; from the one in which it is active where only one
/// has it.
Arch crossover(const SearchSpace& space, const Arch& a, const Arch& b, core::Rng& rng);
/// All archs that differ in one gene, without duplicates and without `arch`; genes that become
/// active take their first choice, genes that become inactive lose theirs.
std::vector<Arch> neighbours(const SearchSpace& space, const Arch& arch);

/// Number of canonical archs.
Count cardinality(const SearchSpace& space);
/// Number of canonical archs at one resolution.
Count num_genotypes(const SearchSpace& space);
/// Number of different networks at one resolution (the largest): less than num_genotypes() where
/// choices round to equal widths. Exact. Of a tabular space all archs count as different.
Count num_networks(const SearchSpace& space);
/// Every canonical arch in lexicographic order. @throws StateError if there are more than `limit`.
std::vector<Arch> enumerate(const SearchSpace& space, std::size_t limit = 1'000'000);

}  // namespace omnifit::space
