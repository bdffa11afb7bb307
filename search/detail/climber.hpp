#pragma once

#include "search/detail/gene_effects.hpp"
#include "search/detail/genetics.hpp"
#include "search/detail/ledger.hpp"
#include "search/detail/screen.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace omnifit::search::detail {

/// Local search from several archs at once. A step evaluates every arch that differs in one gene,
/// takes the differences for the effects of the genes, and then the archs for which the sum of the
/// effects promises most: with an additive bound by dynamic programming over the whole space, where
/// every further changed gene costs a little, because effects hold near the arch only; otherwise
/// pairs of changes (2-opt). The best of all is the next arch, until nothing is better. All climbs
/// take a step together, so that what they want is evaluated in one batch and their models are made
/// on as many threads; results are the same for any number of threads.
class Climber {
 public:
  Climber(const Genetics& genetics, const Screen& screen, Ledger& ledger)
      : genetics_(genetics), screen_(screen), ledger_(ledger) {}

  /// @param general effects of genes that have none in the arch
  /// @return the rows where the climbs ended; records one generation per step
  std::vector<std::size_t> climb(std::span<const std::size_t> starts, const GeneEffects& general);

 private:
  [[nodiscard]] GeneEffects local_effects(const Choices& choices, double value,
                                          const std::vector<Flip>& flips,
                                          const GeneEffects& general) const;
  [[nodiscard]] std::vector<Choices> promising(const Choices& choices,
                                               const GeneEffects& effects) const;
  [[nodiscard]] std::vector<Choices> promising_pairs(const Choices& choices,
                                                     const GeneEffects& effects) const;
  /// What a climb sees from where it is.
  struct View {
    std::vector<Flip> flips;
    std::vector<Choices> wanted;
    std::vector<std::size_t> seen;  ///< rows
  };
  /// Evaluates what the views want, together, and adds it to what they have seen.
  void look(std::vector<View>& views);

  const Genetics& genetics_;
  const Screen& screen_;
  Ledger& ledger_;
};

}  // namespace omnifit::search::detail
