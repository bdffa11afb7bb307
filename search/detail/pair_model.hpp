#pragma once

#include "search/detail/ledger.hpp"
#include "search/detail/pair_effects.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace omnifit::search::detail {

/// Pair effects that learn the first objective from what was evaluated. Of values only distances
/// count, in a unit that the values themselves set. Reading is safe on several threads.
class PairModel {
 public:
  /// The references must outlive the model.
  PairModel(const Genetics& genetics, const Ledger& ledger, std::uint64_t seed)
      : ledger_(ledger), seed_(seed), draft_(genetics), effects_(genetics) {}

  /// Takes the middle half of these rows' values for the unit, and their middle for 0, unless there
  /// is a unit already. @return whether there is one: not where most values are the same
  bool measure(std::span<const std::size_t> rows);
  /// Length of the unit, in the objective's own.
  [[nodiscard]] double unit() const { return unit_; }

  /// Learns from the rows of at least this value, in so many passes (PairEffects::fit), what it has
  /// not learnt before; readers see nothing of it, also while it goes on, before publish().
  /// @pre there is a unit
  void fit(std::span<const std::size_t> rows, int passes,
           double least = -std::numeric_limits<double>::infinity());
  /// Shows readers what was learnt. @pre nobody reads meanwhile
  void publish() { effects_ = draft_; }

  [[nodiscard]] bool has_learnt() const { return fits_ > 0; }

  /// What the arch promises, in units. @pre the choices are canonical
  [[nodiscard]] float operator()(const Choices& choices) const {
    return effects_(effects_.features(choices));
  }
  [[nodiscard]] const PairEffects& effects() const { return effects_; }

 private:
  const Ledger& ledger_;
  std::uint64_t seed_;
  PairEffects draft_;
  PairEffects effects_;
  double middle_ = 0.0;
  double unit_ = 0.0;
  std::uint64_t fits_ = 0;
};

}  // namespace omnifit::search::detail
