#pragma once

#include "search/detail/archive.hpp"
#include "search/detail/gene_effects.hpp"
#include "search/detail/genetics.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace omnifit::search::detail {

/// An archive in which every arch can be found again, and which counts generations.
class Ledger {
 public:
  Ledger(Archive& archive, const Genetics& genetics, int max_generations)
      : archive_(archive), genetics_(genetics), max_generations_(max_generations) {}

  /// Whether evaluations and generations are left.
  [[nodiscard]] bool open() const {
    return archive_.room() > 0 && generations_ <= max_generations_;
  }
  /// Adds an arch to the batch unless it is known or the budget is used. @return whether it was new
  bool propose(const Choices& choices);
  /// Evaluates the batch. @return the new rows
  std::vector<std::size_t> evaluate();
  /// Ends a generation, if anything was evaluated in it.
  void record(std::span<const std::size_t> members);

  /// Row of an evaluated arch.
  [[nodiscard]] std::optional<std::size_t> find(const Choices& choices) const;
  [[nodiscard]] std::size_t size() const { return archive_.size(); }
  [[nodiscard]] int threads() const { return archive_.threads(); }
  [[nodiscard]] const Choices& choices(std::size_t row) const { return archive_.choices(row); }
  /// First objective, larger is better; minus infinity beyond a bound.
  [[nodiscard]] double fitness(std::size_t row) const;
  /// As fitness, but beyond the bounds too; not finite where the arch could not be evaluated.
  [[nodiscard]] double value(std::size_t row) const {
    return -archive_[row].score.objectives.front();
  }
  /// What the genes are worth, from the archs evaluated last.
  [[nodiscard]] GeneEffects effects() const;

  [[nodiscard]] Archive& archive() { return archive_; }

 private:
  Archive& archive_;
  const Genetics& genetics_;
  int max_generations_;
  int generations_ = 0;
  std::size_t recorded_ = 0;  ///< rows there were when the last generation ended
};

}  // namespace omnifit::search::detail
