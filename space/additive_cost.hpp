#pragma once

#include "space/lower.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace omnifit::space {

/// A cost that is a sum over the plan's units, compiled per space into gene-indexed tables: an
/// estimate is a few dozen additions, no lowering, no allocation. Immutable, thread-safe.
class AdditiveCost {
 public:
  /// Calls `unit_cost` once per distinct unit. `constant` is added to every arch.
  /// A unit without cost (nullopt) makes every arch that uses it unknown.
  static AdditiveCost compile(
      const SearchSpace& space, const TaskIo& io,
      const std::function<std::optional<double>(const LayerSpec&)>& unit_cost,
      double constant = 0.0);
  /// As above for costs that depend on the network's resolution too, also where the unit does not
  /// see it (a classifier timed once per resolution). Asks once per distinct unit and resolution;
  /// `missing()` names a unit once if any resolution of it has no cost.
  static AdditiveCost compile_by_resolution(
      const SearchSpace& space, const TaskIo& io,
      const std::function<std::optional<double>(const LayerSpec&, int resolution_px)>& unit_cost,
      double constant = 0.0);

  /// A table over the choice indices of a few genes; the last gene varies fastest. A gene without
  /// effect in an arch counts as choice 0, so a table over a block's genes holds their depth too.
  struct Term {
    std::vector<int> genes;  ///< ascending, distinct
    std::vector<double> values;
  };
  /// The sum of any such tables. @throws std::invalid_argument if a term's genes are not ascending
  /// genes of the space or its size is not the product of their choices.
  static AdditiveCost from_terms(const SearchSpace& space, const std::vector<Term>& terms,
                                 double constant = 0.0);

  /// The cost as its tables; NaN where a unit has no cost. from_terms() of them is the same cost.
  [[nodiscard]] std::vector<Term> terms() const;
  [[nodiscard]] double constant() const { return constant_; }
  [[nodiscard]] std::uint64_t space_fingerprint() const { return space_; }

  /// NaN if a unit of the arch has no cost.
  [[nodiscard]] double operator()(const Arch& arch) const;
  /// The same of an arch's choices, for those who try many. @pre one canonical choice per gene of
  /// the space
  [[nodiscard]] double operator()(std::span<const std::uint8_t> choices) const;
  /// Units without a cost, empty if every arch can be estimated.
  [[nodiscard]] const std::vector<LayerSpec>& missing() const { return missing_; }

  /// Exact minimum and maximum over the whole space, by dynamic programming over the terms, with an
  /// arch that reaches it (one of them, where several do). Archs of unknown cost are left out.
  /// @throws StateError if every arch has an unknown cost.
  struct Extreme {
    double cost = 0.0;
    Arch arch;
  };
  [[nodiscard]] Extreme minimum(const SearchSpace& space) const;
  [[nodiscard]] Extreme maximum(const SearchSpace& space) const;

 private:
  /// Slots that depend on the same genes share one dense table over their choice indices.
  struct CompiledTerm {
    std::uint32_t table = 0;         ///< of the first entry in `tables_`
    std::uint32_t first_factor = 0;  ///< in `factors_`
    std::uint32_t num_factors = 0;
  };
  struct Factor {
    std::uint32_t gene = 0;
    std::uint32_t stride = 0;
  };

  static AdditiveCost compile(
      const SearchSpace& space, const TaskIo& io,
      const std::function<std::optional<double>(const LayerSpec&, int)>& unit_cost,
      bool per_resolution, double constant);
  void add_term(const std::vector<int>& genes, const std::vector<std::size_t>& strides,
                const std::vector<double>& table);
  [[nodiscard]] Extreme extreme(const SearchSpace& space, double sign) const;

  std::uint64_t space_ = 0;
  std::vector<CompiledTerm> terms_;
  std::vector<Factor> factors_;
  std::vector<double> tables_;
  double constant_ = 0.0;
  std::vector<LayerSpec> missing_;
};

/// Tables that are 0 where a gene has an effect or its first choice, and infinite elsewhere: beside
/// the tables of a cost they keep a minimisation over genes to canonical archs.
std::vector<AdditiveCost::Term> activity_rules(const SearchSpace& space);

}  // namespace omnifit::space
