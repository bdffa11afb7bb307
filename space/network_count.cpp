#include "core/error.hpp"
#include "space/detail/slot_units.hpp"
#include "space/sampling.hpp"

#include <array>
#include <map>
#include <set>

namespace omnifit::space {

namespace {

/// A position in the network with the choices that units behind it still depend on; others are
/// kOpen.
struct Progress {
  static constexpr std::int16_t kOpen = -1;

  std::size_t slot = 0;
  std::array<std::int16_t, Arch::kMaxGenes> choices{};
  friend auto operator<=>(const Progress&, const Progress&) = default;
};

/// Counts the different sequences of units a space can make. Genotypes are the paths of an
/// automaton that reads units, one state per Progress. Different paths may spell the same sequence,
/// so the states are followed as sets: then every sequence has one path.
class NetworkCounter {
 public:
  explicit NetworkCounter(const SearchSpace& space)
      : genes_(space.genes()), tables_(detail::slot_units(space, {})), last_use_(genes_.size(), 0) {
    for (std::size_t slot = 0; slot < tables_.size(); ++slot) {
      for (const int gene : tables_[slot].genes) last_use_[static_cast<std::size_t>(gene)] = slot;
    }
    start_.choices.fill(Progress::kOpen);
    if (const auto resolution = space.find_gene(Axis::kResolution)) {
      const auto gene = static_cast<std::size_t>(*resolution);
      start_.choices[gene] = static_cast<std::int16_t>(genes_[gene].choices.size() - 1);
    }
  }

  Count count() { return count_from({start_}); }

 private:
  using States = std::set<Progress>;

  Count count_from(const States& states) {
    if (states.begin()->slot == tables_.size()) return 1;
    if (const auto known = counts_.find(states); known != counts_.end()) return known->second;
    std::map<LayerSpec, States> next;
    for (const Progress& state : states) advance(state, 0, next);
    Count total = 0;
    for (const auto& [unit, followers] : next) {
      OMNIFIT_CHECK(!__builtin_add_overflow(total, count_from(followers), &total),
                    "more networks than archs");
    }
    return counts_[states] = total;
  }

  /// Takes every open choice of the slot's genes from the `index`-th on.
  void advance(const Progress& state, std::size_t index, std::map<LayerSpec, States>& next) {
    const detail::SlotUnits& table = tables_[state.slot];
    if (index == table.genes.size()) return emit(state, next);
    const auto gene = static_cast<std::size_t>(table.genes[index]);
    if (state.choices[gene] != Progress::kOpen) return advance(state, index + 1, next);
    // The gene that switches another stands before it and is of use as long.
    const auto& active_if = genes_[gene].active_if;
    const bool active = !active_if || state.choices[static_cast<std::size_t>(active_if->gene)] >=
                                          active_if->min_choice;
    const std::size_t num_choices = active ? genes_[gene].choices.size() : 1;
    Progress chosen = state;
    for (std::size_t choice = 0; choice < num_choices; ++choice) {
      chosen.choices[gene] = static_cast<std::int16_t>(choice);
      advance(chosen, index + 1, next);
    }
  }

  void emit(const Progress& state, std::map<LayerSpec, States>& next) {
    const detail::SlotUnits& table = tables_[state.slot];
    std::size_t entry = 0;
    for (std::size_t i = 0; i < table.genes.size(); ++i) {
      const auto gene = static_cast<std::size_t>(table.genes[i]);
      entry += static_cast<std::size_t>(state.choices[gene]) * table.strides[i];
    }
    Progress follower = state;
    for (const int gene : table.genes) {
      const auto g = static_cast<std::size_t>(gene);
      if (last_use_[g] == state.slot) follower.choices[g] = Progress::kOpen;
    }
    ++follower.slot;
    if (const auto& unit = table.units[entry]) {
      next[*unit].insert(follower);
    } else {
      // A skipped slot spells nothing: what the next one gives comes first.
      advance(follower, 0, next);
    }
  }

  const std::vector<Gene>& genes_;
  std::vector<detail::SlotUnits> tables_;
  std::vector<std::size_t> last_use_;  ///< per gene: the last slot that depends on it
  Progress start_;
  std::map<States, Count> counts_;
};

}  // namespace

Count num_networks(const SearchSpace& space) {
  // Tables know archs, not networks.
  if (space.family_kind() == Family::kTabular) return num_genotypes(space);
  return NetworkCounter(space).count();
}

}  // namespace omnifit::space
