#pragma once

#include "core/rng.hpp"
#include "search/detail/archive.hpp"
#include "search/detail/genetics.hpp"
#include "search/detail/pair_effects.hpp"
#include "search/detail/screen.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace omnifit::search::detail {

/// Looks by simulated annealing for what pair effects promise most, within the additive bounds.
/// A step costs about as much as a few memory accesses, for nothing is evaluated.
class Annealer {
 public:
  /// The references must outlive the annealer.
  Annealer(const Genetics& genetics, const Screen& screen, const Archive& archive,
           const PairEffects& effects)
      : genetics_(genetics), screen_(screen), archive_(archive), effects_(effects) {}

  /// The best arch on a random walk of steps in one to three genes that was never proposed to the
  /// archive; nullopt where the walk met none. The start itself is not in question. Deterministic
  /// in `rng`; safe on several threads. @pre the start lies within the bounds, and the space has a
  /// gene
  [[nodiscard]] std::optional<Choices> walk(const Choices& start, core::Rng& rng) const;

 private:
  /// A step: the arch after it, and the genes that it changes. A gene may be drawn twice, so steps
  /// are smaller than Genetics::move makes them, and the walks better for it.
  struct Step {
    explicit Step(const Choices& from) : after(from) {}
    Choices after;
    std::array<std::uint8_t, space::Arch::kMaxGenes> genes{};
    std::size_t num_genes = 0;
  };
  [[nodiscard]] Step step(const Choices& from, core::Rng& rng) const;
  void change(const Choices& from, std::size_t gene, Step& step, core::Rng& rng) const;
  [[nodiscard]] Features features(const Step& step, const Choices& of) const;

  const Genetics& genetics_;
  const Screen& screen_;
  const Archive& archive_;
  const PairEffects& effects_;
};

}  // namespace omnifit::search::detail
