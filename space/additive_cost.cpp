#include "space/additive_cost.hpp"

#include "core/error.hpp"
#include "space/detail/min_sum.hpp"
#include "space/detail/slot_units.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

namespace omnifit::space {

namespace {

using UnitCost = std::function<std::optional<double>(const LayerSpec&, int resolution_px)>;

/// Asks for every distinct unit once, in slot order, and remembers which have no cost (NaN).
class CostBook {
 public:
  explicit CostBook(const UnitCost& unit_cost) : unit_cost_(unit_cost) {}

  double cost(int resolution_px, const LayerSpec& unit) {
    const auto known = costs_.find({resolution_px, unit});
    if (known != costs_.end()) return known->second;
    const std::optional<double> asked = unit_cost_(unit, resolution_px);
    if (!asked && missing_before_.insert(unit).second) missing_.push_back(unit);
    return costs_[{resolution_px, unit}] = asked.value_or(std::numeric_limits<double>::quiet_NaN());
  }
  [[nodiscard]] std::vector<LayerSpec> missing() && { return std::move(missing_); }

 private:
  const UnitCost& unit_cost_;
  std::map<std::pair<int, LayerSpec>, double> costs_;
  std::set<LayerSpec> missing_before_;
  std::vector<LayerSpec> missing_;
};

/// The same units with the resolution among the genes they depend on; it comes before all others.
detail::SlotUnits repeated_per_resolution(detail::SlotUnits slot, std::size_t num_resolutions) {
  const std::size_t size = slot.units.size();
  slot.genes.insert(slot.genes.begin(), 0);
  slot.strides.insert(slot.strides.begin(), size);
  for (std::size_t r = 1; r < num_resolutions; ++r) {
    for (std::size_t i = 0; i < size; ++i) slot.units.push_back(slot.units[i]);
  }
  return slot;
}

}  // namespace

AdditiveCost AdditiveCost::compile(
    const SearchSpace& space, const TaskIo& io,
    const std::function<std::optional<double>(const LayerSpec&)>& unit_cost, double constant) {
  const UnitCost anywhere = [&](const LayerSpec& unit, int) { return unit_cost(unit); };
  return compile(space, io, anywhere, false, constant);
}

AdditiveCost AdditiveCost::compile_by_resolution(const SearchSpace& space, const TaskIo& io,
                                                 const UnitCost& unit_cost, double constant) {
  return compile(space, io, unit_cost, true, constant);
}

AdditiveCost AdditiveCost::compile(const SearchSpace& space, const TaskIo& io,
                                   const UnitCost& unit_cost, bool per_resolution,
                                   double constant) {
  AdditiveCost cost;
  cost.space_ = space.fingerprint();
  cost.constant_ = constant;
  CostBook book(unit_cost);
  const bool elastic = space.find_gene(Axis::kResolution).has_value();
  OMNIFIT_CHECK(!elastic || *space.find_gene(Axis::kResolution) == 0,
                "the resolution is not the first gene of space {}", space.name());
  std::map<std::vector<int>, std::pair<std::vector<std::size_t>, std::vector<double>>> by_genes;
  for (detail::SlotUnits& slot : detail::slot_units(space, io)) {
    bool depends = elastic && !slot.genes.empty() && slot.genes.front() == 0;
    if (per_resolution && elastic && !depends) {
      slot = repeated_per_resolution(std::move(slot), space.resolutions().size());
      depends = true;
    }
    auto& [strides, table] = by_genes[slot.genes];
    strides = slot.strides;
    table.resize(slot.units.size(), 0.0);
    for (std::size_t i = 0; i < slot.units.size(); ++i) {
      if (!slot.units[i]) continue;
      // Where the price is the same at every resolution, the first one stands for all.
      const std::size_t r = per_resolution && depends ? i / slot.strides.front() : 0;
      table[i] += book.cost(space.resolutions()[r], *slot.units[i]);
    }
  }
  for (const auto& [genes, term] : by_genes) cost.add_term(genes, term.first, term.second);
  cost.missing_ = std::move(book).missing();
  return cost;
}

AdditiveCost AdditiveCost::from_terms(const SearchSpace& space, const std::vector<Term>& terms,
                                      double constant) {
  AdditiveCost cost;
  cost.space_ = space.fingerprint();
  cost.constant_ = constant;
  const auto num_genes = static_cast<int>(space.genes().size());
  for (const Term& term : terms) {
    int last = -1;
    for (const int gene : term.genes) {
      if (gene <= last || gene >= num_genes) {
        throw std::invalid_argument(
            fmt::format("genes of a term must ascend in [0, {}), got {}", num_genes, gene));
      }
      last = gene;
    }
    std::vector<std::size_t> strides(term.genes.size());
    std::size_t size = 1;
    for (std::size_t i = term.genes.size(); i-- > 0;) {
      strides[i] = size;
      size *= space.genes()[static_cast<std::size_t>(term.genes[i])].choices.size();
    }
    if (term.values.size() != size) {
      throw std::invalid_argument(
          fmt::format("a term over those genes has {} values, got {}", size, term.values.size()));
    }
    cost.add_term(term.genes, strides, term.values);
  }
  return cost;
}

void AdditiveCost::add_term(const std::vector<int>& genes, const std::vector<std::size_t>& strides,
                            const std::vector<double>& table) {
  if (genes.empty()) {
    constant_ += table.front();
    return;
  }
  terms_.push_back({.table = static_cast<std::uint32_t>(tables_.size()),
                    .first_factor = static_cast<std::uint32_t>(factors_.size()),
                    .num_factors = static_cast<std::uint32_t>(genes.size())});
  for (std::size_t i = 0; i < genes.size(); ++i) {
    factors_.push_back(
        {static_cast<std::uint32_t>(genes[i]), static_cast<std::uint32_t>(strides[i])});
  }
  tables_.insert(tables_.end(), table.begin(), table.end());
}

std::vector<AdditiveCost::Term> AdditiveCost::terms() const {
  std::vector<Term> terms;
  for (std::size_t t = 0; t < terms_.size(); ++t) {
    const CompiledTerm& compiled = terms_[t];
    const std::size_t end = t + 1 < terms_.size() ? terms_[t + 1].table : tables_.size();
    Term& term = terms.emplace_back();
    for (std::uint32_t i = 0; i < compiled.num_factors; ++i) {
      term.genes.push_back(static_cast<int>(factors_[compiled.first_factor + i].gene));
    }
    term.values.assign(tables_.begin() + compiled.table,
                       tables_.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return terms;
}

double AdditiveCost::operator()(const Arch& arch) const {
  OMNIFIT_CHECK(arch.space_fingerprint() == space_, "the cost was compiled for another space");
  return (*this)(arch.choices());
}

double AdditiveCost::operator()(std::span<const std::uint8_t> choices) const {
  double total = constant_;
  for (const CompiledTerm& term : terms_) {
    std::uint32_t index = term.table;
    const Factor* factor = factors_.data() + term.first_factor;
    for (std::uint32_t i = 0; i < term.num_factors; ++i) {
      index += choices[factor[i].gene] * factor[i].stride;
    }
    total += tables_[index];
  }
  return total;
}

AdditiveCost::Extreme AdditiveCost::minimum(const SearchSpace& space) const {
  return extreme(space, 1.0);
}

AdditiveCost::Extreme AdditiveCost::maximum(const SearchSpace& space) const {
  return extreme(space, -1.0);
}

AdditiveCost::Extreme AdditiveCost::extreme(const SearchSpace& space, double sign) const {
  OMNIFIT_CHECK(space.fingerprint() == space_, "the cost was compiled for another space");
  std::vector<detail::GeneTable> tables;
  for (Term& term : terms()) {
    auto& table = tables.emplace_back();
    table.genes = std::move(term.genes);
    table.values = std::move(term.values);
    for (double& value : table.values) {
      value = std::isnan(value) ? std::numeric_limits<double>::infinity() : sign * value;
    }
  }
  for (Term& rule : activity_rules(space)) {
    tables.push_back({.genes = std::move(rule.genes), .values = std::move(rule.values)});
  }
  std::vector<std::size_t> num_choices;
  for (const Gene& gene : space.genes()) num_choices.push_back(gene.choices.size());
  const detail::MinSum best = detail::minimise_sum(std::move(tables), num_choices);
  if (std::isnan(constant_) || std::isinf(best.value)) {
    throw StateError(fmt::format("no arch of space {}/v{} has a known cost; units without one: {}",
                                 space.name(), space.version(), missing_.size()));
  }
  const Arch arch(space, best.choices);
  return {(*this)(arch), arch};
}

std::vector<AdditiveCost::Term> activity_rules(const SearchSpace& space) {
  std::vector<AdditiveCost::Term> rules;
  const std::vector<Gene>& genes = space.genes();
  for (std::size_t g = 0; g < genes.size(); ++g) {
    if (!genes[g].active_if) continue;
    const auto [owner, min_choice] = *genes[g].active_if;
    AdditiveCost::Term& rule = rules.emplace_back();
    rule.genes = {owner, static_cast<int>(g)};
    const auto owner_choices =
        static_cast<int>(genes[static_cast<std::size_t>(owner)].choices.size());
    for (int o = 0; o < owner_choices; ++o) {
      for (std::size_t c = 0; c < genes[g].choices.size(); ++c) {
        rule.values.push_back(o >= min_choice || c == 0 ? 0.0
                                                        : std::numeric_limits<double>::infinity());
      }
    }
  }
  return rules;
}

}  // namespace omnifit::space
