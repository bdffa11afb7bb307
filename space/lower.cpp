#include "space/lower.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "space/detail/slot_units.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

namespace omnifit::space {

namespace {

/// What stands at a place of the network, in execution order.
struct Place {
  enum class Part { kStem, kBlock, kHead, kPool, kClassifier };
  Part part = Part::kStem;
  int stage = -1;  ///< of a block
  int block = -1;  ///< of a block, within its stage
  int head = -1;   ///< index of a head convolution
};

std::vector<Place> places(const SearchSpace& space) {
  using Part = Place::Part;
  std::vector<Place> found{{.part = Part::kStem}};
  for (std::size_t stage = 0; stage < space.stages().size(); ++stage) {
    for (int block = 0; block < space.stages()[stage].max_depth(); ++block) {
      found.push_back({.part = Part::kBlock, .stage = static_cast<int>(stage), .block = block});
    }
  }
  for (const bool after_pool : {false, true}) {
    if (after_pool) found.push_back({.part = Part::kPool});
    for (std::size_t i = 0; i < space.head().size(); ++i) {
      if (space.head()[i].after_pool != after_pool) continue;
      found.push_back({.part = Part::kHead, .head = static_cast<int>(i)});
    }
  }
  found.push_back({.part = Part::kClassifier});
  return found;
}

int scaled_width(const SearchSpace& space, int width) {
  return make_divisible(width * space.width_mult());
}

LayerSpec conv_unit(const SearchSpace& space, const ConvConfig& config, const FeatureShape& in) {
  return ConvSpec{.in_channels = in.channels,
                  .out_channels = scaled_width(space, config.width),
                  .kernel_size = config.kernel_size,
                  .stride = config.stride,
                  .in_px = in.px,
                  .act = config.act,
                  .batch_norm = config.batch_norm,
                  .bias = false};
}

LayerSpec block_unit(const SearchSpace& space, const Arch& arch, const Place& place,
                     const FeatureShape& in) {
  const StageConfig& stage = space.stages()[static_cast<std::size_t>(place.stage)];
  const double expand_ratio = axis_value(space, arch, Axis::kExpandRatio, place.stage, place.block);
  const bool first = place.block == 0;
  MbConvSpec spec;
  spec.in_channels = in.channels;
  spec.out_channels = scaled_width(space, stage.width);
  spec.kernel_size =
      static_cast<int>(axis_value(space, arch, Axis::kKernelSize, place.stage, place.block));
  spec.stride = first ? stage.stride : 1;
  spec.in_px = in.px;
  spec.act = stage.act;
  spec.expand = stage.expand_ratios.back() > 1.0;
  // nearbyint rounds half to even, as the reference does.
  spec.mid_channels = make_divisible(std::nearbyint(in.channels * expand_ratio));
  const int quarter = spec.mid_channels / 4;
  spec.se_channels = stage.squeeze_excite ? make_divisible(quarter) : 0;
  spec.shortcut =
      spec.stride == 1 && spec.in_channels == spec.out_channels && (!first || stage.first_shortcut);
  return spec;
}

LayerSpec unit_at(const SearchSpace& space, const Arch& arch, const TaskIo& io, const Place& place,
                  const FeatureShape& in) {
  switch (place.part) {
    case Place::Part::kStem:
      return conv_unit(space, space.stem(), in);
    case Place::Part::kBlock:
      return block_unit(space, arch, place, in);
    case Place::Part::kHead:
      return conv_unit(space, space.head()[static_cast<std::size_t>(place.head)], in);
    case Place::Part::kPool:
      return PoolSpec{in.channels, in.px};
    case Place::Part::kClassifier:
      return LinearSpec{in.channels, io.num_classes};
  }
  OMNIFIT_CHECK(false, "unknown part {}", static_cast<int>(place.part));
}

std::string slot_name(const SearchSpace& space, const Place& place, int block_number) {
  switch (place.part) {
    case Place::Part::kStem:
      return space.stem().name;
    case Place::Part::kBlock:
      return fmt::format("blocks.{}", block_number);
    case Place::Part::kHead:
      return space.head()[static_cast<std::size_t>(place.head)].name;
    case Place::Part::kPool:
      return "pool";
    case Place::Part::kClassifier:
      return "classifier";
  }
  OMNIFIT_CHECK(false, "unknown part {}", static_cast<int>(place.part));
}

/// Ascending: the resolution stands first in the gene table, then depth, kernel size and expand
/// ratio.
std::vector<int> slot_genes(const SearchSpace& space, const Place& place) {
  std::vector<int> genes;
  const auto add = [&](std::optional<int> gene) {
    if (gene) genes.push_back(*gene);
  };
  const bool pooled = place.part == Place::Part::kClassifier ||
                      (place.part == Place::Part::kHead &&
                       space.head()[static_cast<std::size_t>(place.head)].after_pool);
  if (!pooled) add(space.find_gene(Axis::kResolution));
  if (place.part == Place::Part::kBlock) {
    const int min_depth = space.stages()[static_cast<std::size_t>(place.stage)].depths.front();
    if (place.block >= min_depth) add(space.find_gene(Axis::kDepth, place.stage));
    add(space.find_gene(Axis::kKernelSize, place.stage, place.block));
    add(space.find_gene(Axis::kExpandRatio, place.stage, place.block));
  }
  return genes;
}

/// Kernel sizes and middle widths of the slot's unit as it stands.
void set_fixed_widths(Slot& slot) {
  if (const auto* conv = std::get_if<ConvSpec>(&slot.largest)) {
    slot.kernel_sizes = {conv->kernel_size};
  } else if (const auto* block = std::get_if<MbConvSpec>(&slot.largest)) {
    slot.kernel_sizes = {block->kernel_size};
    slot.mid_channels = {block->mid_channels};
  }
}

void set_elastic_widths(const SearchSpace& space, const Place& place, Slot& slot) {
  const StageConfig& stage = space.stages()[static_cast<std::size_t>(place.stage)];
  const auto& block = std::get<MbConvSpec>(slot.largest);
  slot.kernel_sizes = stage.kernel_sizes;
  std::set<int> widths;
  for (const double ratio : stage.expand_ratios) {
    widths.insert(make_divisible(std::nearbyint(block.in_channels * ratio)));
  }
  slot.mid_channels.assign(widths.begin(), widths.end());
  slot.elastic = stage.kernel_sizes.size() > 1 || stage.expand_ratios.size() > 1;
}

void check_io(const TaskIo& io) {
  if (io.in_channels < 1) {
    throw std::invalid_argument(
        fmt::format("in_channels must be at least 1, got {}", io.in_channels));
  }
  if (io.num_classes < 1) {
    throw std::invalid_argument(
        fmt::format("num_classes must be at least 1, got {}", io.num_classes));
  }
}

}  // namespace

NetworkPlan lower(const SearchSpace& space, const Arch& arch, const TaskIo& io) {
  check_io(io);
  NetworkPlan plan{.io = io, .resolution_px = resolution_px(space, arch), .units = {}};
  FeatureShape shape{io.in_channels, plan.resolution_px};
  int slot = 0;
  for (const Place& place : places(space)) {
    if (place.part != Place::Part::kBlock || place.block < depth(space, arch, place.stage)) {
      plan.units.push_back({slot, unit_at(space, arch, io, place, shape)});
      shape = output_shape(plan.units.back().spec);
    }
    ++slot;
  }
  return plan;
}

std::vector<Slot> slots(const SearchSpace& space, const TaskIo& io) {
  const NetworkPlan plan = lower(space, largest(space), io);
  const std::vector<Place> all = places(space);
  std::vector<Slot> found;
  int block_number = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    Slot slot;
    slot.name = slot_name(space, all[i], block_number);
    slot.largest = plan.units[i].spec;
    slot.genes = slot_genes(space, all[i]);
    if (all[i].part == Place::Part::kBlock) {
      set_elastic_widths(space, all[i], slot);
      ++block_number;
    } else {
      set_fixed_widths(slot);
    }
    found.push_back(std::move(slot));
  }
  return found;
}

std::vector<Slot> slots(const NetworkPlan& plan, const std::vector<Slot>& of_supernet) {
  std::vector<Slot> found;
  int block_number = 0;
  for (const PlanUnit& unit : plan.units) {
    const auto index = static_cast<std::size_t>(unit.slot);
    OMNIFIT_CHECK(index < of_supernet.size(), "unit in slot {} of {}", unit.slot,
                  of_supernet.size());
    const bool is_block = std::holds_alternative<MbConvSpec>(unit.spec);
    Slot slot;
    slot.name = is_block ? fmt::format("blocks.{}", block_number++) : of_supernet[index].name;
    slot.largest = unit.spec;
    set_fixed_widths(slot);
    found.push_back(std::move(slot));
  }
  return found;
}

std::vector<LayerSpec> distinct_units(const SearchSpace& space, const TaskIo& io) {
  std::vector<LayerSpec> found;
  std::set<LayerSpec> seen;
  for (const detail::SlotUnits& slot : detail::slot_units(space, io)) {
    std::set<LayerSpec> of_slot;
    for (const auto& unit : slot.units) {
      if (unit && seen.insert(*unit).second) of_slot.insert(*unit);
    }
    found.insert(found.end(), of_slot.begin(), of_slot.end());
  }
  return found;
}

std::uint64_t units_fingerprint(const SearchSpace& space) {
  std::string text;
  for (const LayerSpec& unit : distinct_units(space, {.in_channels = 3, .num_classes = 1})) {
    text += spec_text(unit) + "\n";
  }
  return core::stable_hash(text);
}

}  // namespace omnifit::space
