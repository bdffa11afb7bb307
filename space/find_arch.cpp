#include "space/find_arch.hpp"

#include "core/error.hpp"
#include "space/lower.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>
#include <vector>

namespace omnifit::space {

namespace {

/// The plan for an image of another size: the same units with the sizes that follow from it.
NetworkPlan at_resolution(NetworkPlan plan, int resolution_px) {
  plan.resolution_px = resolution_px;
  int px = resolution_px;
  for (PlanUnit& unit : plan.units) {
    std::visit(
        [px](auto& spec) {
          if constexpr (requires { spec.in_px; }) spec.in_px = px;
        },
        unit.spec);
    px = output_shape(unit.spec).px;
  }
  return plan;
}

/// Names and values of a unit's fields, in the order of its text.
std::vector<std::pair<std::string, std::string>> fields_of(const LayerSpec& spec) {
  std::vector<std::pair<std::string, std::string>> fields;
  std::istringstream words(spec_text(spec));
  std::string word;
  while (words >> word) {
    const std::size_t equals = word.find('=');
    if (equals != std::string::npos)
      fields.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return fields;
}

/// What the search met at the furthest unit that it could not match.
struct Obstacle {
  std::size_t unit = 0;
  std::set<LayerSpec> offers;  ///< units that subnets have there
  int stage = -1;              ///< of the first offer; -1: not a block
  int stage_before = -1;       ///< the stage that ends before that one; -1: not a stage
};

bool keeps_shape(const LayerSpec& spec) { return input_shape(spec) == output_shape(spec); }

std::string depth_text(const SearchSpace& space, int stage) {
  if (stage < 0) return "";
  return fmt::format(" (the space has depth {})",
                     fmt::join(space.stages()[static_cast<std::size_t>(stage)].depths, ", "));
}

/// A stage that is longer or shorter than any of the space; nullopt if the obstacle is another one.
std::optional<std::string> depth_reason(const SearchSpace& space, const NetworkPlan& plan,
                                        const Obstacle& obstacle) {
  if (obstacle.unit == 0 || obstacle.offers.empty()) return std::nullopt;
  const LayerSpec& wanted = plan.units[obstacle.unit].spec;
  const LayerSpec& before = plan.units[obstacle.unit - 1].spec;
  if (before.index() != wanted.index()) return std::nullopt;
  const bool more_offered =
      std::any_of(obstacle.offers.begin(), obstacle.offers.end(), keeps_shape);
  const bool only_more_offered =
      std::all_of(obstacle.offers.begin(), obstacle.offers.end(), keeps_shape);
  if (keeps_shape(wanted) && !more_offered)
    return "one block more than the stage may have" + depth_text(space, obstacle.stage_before);
  if (!keeps_shape(wanted) && only_more_offered)
    return "the stage before has fewer blocks than it may have" + depth_text(space, obstacle.stage);
  return std::nullopt;
}

/// The fields whose value no subnet has there.
std::string field_reason(const LayerSpec& wanted, const std::set<LayerSpec>& offers) {
  std::map<std::string, std::set<std::string>> offered;
  std::set<std::string> kinds;
  for (const LayerSpec& offer : offers) {
    kinds.insert(spec_kind(offer));
    if (offer.index() != wanted.index()) continue;
    for (auto& [name, value] : fields_of(offer)) offered[name].insert(value);
  }
  if (offered.empty())
    return fmt::format("{} where the space has {}", spec_kind(wanted), fmt::join(kinds, ", "));
  std::vector<std::string> reasons;
  for (const auto& [name, value] : fields_of(wanted)) {
    if (offered[name].contains(value)) continue;
    reasons.push_back(
        fmt::format("{}={} (the space has {})", name, value, fmt::join(offered[name], ", ")));
  }
  if (reasons.empty()) return "no subnet has there '" + spec_text(wanted) + "'";
  return fmt::format("{}", fmt::join(reasons, ", "));
}

NotInSpace explain(const SearchSpace& space, const NetworkPlan& plan, const Obstacle& obstacle) {
  NotInSpace result{.reason = {},
                    .unit = static_cast<int>(obstacle.unit),
                    .matched_units = static_cast<int>(obstacle.unit)};
  if (obstacle.unit == plan.units.size()) {
    result.unit = -1;
    result.reason = fmt::format("the network ends after {} units, where the space has '{}'",
                                obstacle.unit, spec_text(*obstacle.offers.begin()));
  } else if (obstacle.offers.empty()) {
    result.reason = "the network goes on where every subnet of the space ends";
  } else if (const auto depth = depth_reason(space, plan, obstacle)) {
    result.reason = *depth;
  } else {
    result.reason = field_reason(plan.units[obstacle.unit].spec, obstacle.offers);
  }
  return result;
}

std::string sizes_text(const std::vector<int>& sizes) {
  constexpr std::size_t kMaxShown = 8;
  if (sizes.size() <= kMaxShown) return fmt::format("{}", fmt::join(sizes, ", "));
  return fmt::format("{} sizes from {} to {}", sizes.size(), sizes.front(), sizes.back());
}

/// Walks the slots in order, choosing the genes of each when it is reached, and goes back where the
/// next unit fits no choice.
class Finder {
 public:
  Finder(const SearchSpace& space, const NetworkPlan& plan)
      : space_(space),
        plan_(plan),
        slots_(slots(space, plan.io)),
        last_slot_(space.genes().size(), 0),
        assigned_(space.genes().size(), false) {
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      for (const int gene : slots_[slot].genes) last_slot_[static_cast<std::size_t>(gene)] = slot;
    }
    if (const auto gene = space.find_gene(Axis::kResolution)) {
      const auto& sizes = space.resolutions();
      const auto size = std::find(sizes.begin(), sizes.end(), plan.resolution_px);
      set(*gene, static_cast<std::size_t>(size - sizes.begin()));
      assigned_[static_cast<std::size_t>(*gene)] = true;
    }
  }

  bool find() { return search(0, 0); }
  [[nodiscard]] Arch arch() const {
    return {space_, std::span(choices_).first(space_.genes().size())};
  }
  [[nodiscard]] const Obstacle& obstacle() const { return obstacle_; }

 private:
  void set(int gene, std::size_t choice) {
    choices_[static_cast<std::size_t>(gene)] = static_cast<std::uint8_t>(choice);
  }

  [[nodiscard]] std::vector<int> open_genes(std::size_t slot) const {
    std::vector<int> open;
    for (const int gene : slots_[slot].genes) {
      if (!assigned_[static_cast<std::size_t>(gene)]) open.push_back(gene);
    }
    return open;
  }

  /// What the subnet of the present choices runs in the slot.
  [[nodiscard]] std::optional<LayerSpec> unit_of(std::size_t slot) const {
    const NetworkPlan plan = lower(space_, arch(), plan_.io);
    const auto unit = std::find_if(
        plan.units.begin(), plan.units.end(),
        [slot](const PlanUnit& candidate) { return candidate.slot == static_cast<int>(slot); });
    if (unit == plan.units.end()) return std::nullopt;
    return unit->spec;
  }

  void meet(std::size_t slot, std::size_t unit, const std::optional<LayerSpec>& offer) {
    if (unit < obstacle_.unit) return;
    if (unit > obstacle_.unit) {
      obstacle_ = Obstacle{};
      obstacle_.unit = unit;
    }
    if (!offer) return;
    if (obstacle_.offers.empty()) {
      obstacle_.stage = slots_[slot].stage;
      std::size_t before = slot;
      while (before > 0 && slots_[before].stage == obstacle_.stage) --before;
      obstacle_.stage_before = slots_[before].stage;
    }
    obstacle_.offers.insert(*offer);
  }

  /// Slot, unit, and the choices made so far that matter from this slot on.
  using State = std::tuple<std::size_t, std::size_t, std::vector<std::uint8_t>>;

  [[nodiscard]] State state_at(std::size_t slot, std::size_t unit) const {
    std::vector<std::uint8_t> choices;
    for (std::size_t gene = 0; gene < assigned_.size(); ++gene) {
      if (assigned_[gene] && last_slot_[gene] >= slot) choices.push_back(choices_[gene]);
    }
    return {slot, unit, std::move(choices)};
  }

  bool search(std::size_t slot, std::size_t unit) {
    if (slot == slots_.size()) {
      if (unit == plan_.units.size()) return true;
      meet(slot, unit, std::nullopt);
      return false;
    }
    // Stages of equal shapes can share the same blocks in many ways; each way fails the same.
    State state = state_at(slot, unit);
    if (dead_.contains(state)) return false;
    const std::vector<int> open = open_genes(slot);
    for (const int gene : open) assigned_[static_cast<std::size_t>(gene)] = true;
    const bool found = try_choices(slot, unit, open);
    if (!found) {
      for (const int gene : open) assigned_[static_cast<std::size_t>(gene)] = false;
      dead_.insert(std::move(state));
    }
    return found;
  }

  bool try_choices(std::size_t slot, std::size_t unit, const std::vector<int>& open) {
    // Choices that give the same unit and are of no use later need one try.
    std::set<std::pair<std::optional<LayerSpec>, std::vector<std::uint8_t>>> tried;
    for (const int gene : open) set(gene, 0);
    do {
      const std::optional<LayerSpec> offer = unit_of(slot);
      std::vector<std::uint8_t> kept;
      for (const int gene : open) {
        if (last_slot_[static_cast<std::size_t>(gene)] > slot)
          kept.push_back(choices_[static_cast<std::size_t>(gene)]);
      }
      if (!tried.emplace(offer, std::move(kept)).second) continue;
      const bool fits = !offer || (unit < plan_.units.size() && *offer == plan_.units[unit].spec);
      if (!fits) meet(slot, unit, offer);
      if (fits && search(slot + 1, unit + (offer ? 1 : 0))) return true;
    } while (next_choices(open));
    return false;
  }

  /// The next combination of choices, the last gene fastest; false after the last one.
  bool next_choices(const std::vector<int>& open) {
    for (std::size_t i = open.size(); i-- > 0;) {
      const auto gene = static_cast<std::size_t>(open[i]);
      if (++choices_[gene] < space_.genes()[gene].choices.size()) return true;
      choices_[gene] = 0;
    }
    return false;
  }

  const SearchSpace& space_;
  const NetworkPlan& plan_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> last_slot_;  ///< per gene
  std::vector<bool> assigned_;          ///< per gene
  std::array<std::uint8_t, Arch::kMaxGenes> choices_{};
  std::set<State> dead_;  ///< from which no choices lead to the end
  Obstacle obstacle_;
};

}  // namespace

std::variant<Arch, NotInSpace> find_arch(const SearchSpace& space, const NetworkPlan& plan) {
  require_layers(space);
  const std::vector<int>& sizes = space.resolutions();
  const bool size_allowed =
      std::find(sizes.begin(), sizes.end(), plan.resolution_px) != sizes.end();
  const NetworkPlan sized = size_allowed ? plan : at_resolution(plan, sizes.front());
  Finder finder(space, sized);
  if (!finder.find()) return explain(space, sized, finder.obstacle());
  if (size_allowed) return finder.arch();
  return NotInSpace{.reason = fmt::format("resolution {} px (the space has {})", plan.resolution_px,
                                          sizes_text(sizes)),
                    .unit = -1,
                    .matched_units = static_cast<int>(plan.units.size())};
}

}  // namespace omnifit::space
