#pragma once

#include "core/rng.hpp"
#include "search/detail/gene_effects.hpp"
#include "search/detail/genetics.hpp"
#include "search/detail/ledger.hpp"
#include "search/detail/screen.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace omnifit::search::detail {

/// What all archs of a population have in common when they are drawn.
struct Theme {
  std::size_t gene = 0;
  std::uint8_t choice = 0;
};

/// Finds archs to start from, within the additive bounds where there are any.
class Newcomers {
 public:
  Newcomers(const Genetics& genetics, const Screen& screen, Ledger& ledger, std::uint64_t seed)
      : genetics_(genetics),
        screen_(screen),
        ledger_(ledger),
        seed_(seed),
        effects_(no_effects(genetics)) {}

  /// `size` evaluated archs, fewer where there are no more: the seeds, random ones over all ways to
  /// come near the upper limits, and once those are scored the best by dynamic programming over the
  /// genes' effects. @param number of this population; populations of other numbers differ
  std::vector<std::size_t> population(std::size_t size, int number,
                                      std::span<const space::Arch> seeds,
                                      std::optional<Theme> theme = {});
  /// An arch within the additive bounds near one beyond them; nullopt where there is none. Uses
  /// what the genes were worth when the last population started.
  [[nodiscard]] std::optional<Choices> repaired(const Choices& choices) const;
  /// Proposes some arch within the additive bounds that was never proposed: one gene away from the
  /// oldest evaluated arch that has such a neighbour. @return false if there is none
  bool propose_neighbour();
  /// A random arch within the additive bounds and, where that is possible, near the upper limits;
  /// nullopt where none was found.
  [[nodiscard]] std::optional<Choices> random_arch(core::Rng& rng,
                                                   std::optional<Theme> theme = {}) const;

 private:
  [[nodiscard]] std::vector<Choices> best_by_effects() const;

  const Genetics& genetics_;
  const Screen& screen_;
  Ledger& ledger_;
  std::uint64_t seed_;
  GeneEffects effects_;
  std::size_t oldest_open_ = 0;  ///< rows before it have no unknown neighbour
};

}  // namespace omnifit::search::detail
