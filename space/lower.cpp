#include "space/lower.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "space/detail/size_checks.hpp"
#include "space/detail/slot_units.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

namespace omnifit::space {

namespace {

/// What stands at a place of the network, in execution order.
struct Place {
  enum class Part { kStem, kStemLayer, kMaxPool, kBlock, kHead, kPool, kClassifier };
  Part part = Part::kStem;
  int stage = -1;  ///< of a block
  int block = -1;  ///< of a block, within its stage; of a stem layer, within the stem
  int head = -1;   ///< index of a head convolution
};

/// Of a bottleneck space's stem.
constexpr int kNumStemLayers = 3;
constexpr int kResidualStemLayer = 1;

std::vector<Place> places(const SearchSpace& space) {
  using Part = Place::Part;
  std::vector<Place> found;
  if (space.family_kind() == Family::kMbConv) {
    found.push_back({.part = Part::kStem});
  } else {
    for (int layer = 0; layer < kNumStemLayers; ++layer) {
      if (layer == kResidualStemLayer && space.stem_depths().back() == 0) continue;
      found.push_back({.part = Part::kStemLayer, .stage = kStemStage, .block = layer});
    }
    found.push_back({.part = Part::kMaxPool});
  }
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

/// Whether the unit at a place runs in this arch.
bool is_present(const SearchSpace& space, const Arch& arch, const Place& place) {
  if (place.part == Place::Part::kStemLayer) {
    return place.block != kResidualStemLayer ||
           axis_value(space, arch, Axis::kDepth, kStemStage) > 0;
  }
  return place.part != Place::Part::kBlock || place.block < depth(space, arch, place.stage);
}

int scaled_width(const SearchSpace& space, int width) {
  return make_divisible(width * space.width_mult());
}

/// Middle width of a block: a share of its input, or of a bottleneck's output. nearbyint rounds
/// half to even, as the reference does.
int middle_width(int width, double expand_ratio) {
  return make_divisible(std::nearbyint(width * expand_ratio));
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

LayerSpec stem_layer_unit(const SearchSpace& space, const Arch& arch, const Place& place,
                          const FeatureShape& in) {
  const ConvConfig& stem = space.stem();
  const bool last = place.block == kNumStemLayers - 1;
  const int width = make_divisible(
      stem.width * axis_value(space, arch, Axis::kWidthMult, kStemStage, last ? 1 : 0));
  const int half = width / 2;
  return ConvSpec{.in_channels = in.channels,
                  .out_channels = last ? width : make_divisible(half),
                  .kernel_size = stem.kernel_size,
                  .stride = place.block == 0 ? stem.stride : 1,
                  .in_px = in.px,
                  .act = stem.act,
                  .batch_norm = true,
                  .bias = false,
                  .shortcut = place.block == kResidualStemLayer};
}

/// Whether a stage of stride 1 always takes as many channels as it gives, so that its first block
/// can pass its input on as it is. The reference compares the lists of widths; where such a list
/// has several, a subnet may choose different ones for both sides, and an identity would not fit.
bool keeps_width(const SearchSpace& space, int stage) {
  const StageConfig& config = space.stages()[static_cast<std::size_t>(stage)];
  if (config.stride != 1) return false;
  const int before =
      stage == 0 ? space.stem().width : space.stages()[static_cast<std::size_t>(stage) - 1].width;
  std::set<int> widths;
  for (const double mult : space.width_mults()) {
    widths.insert(make_divisible(before * mult));
    widths.insert(make_divisible(config.width * mult));
  }
  return widths.size() == 1;
}

LayerSpec bottleneck_unit(const SearchSpace& space, const Arch& arch, const Place& place,
                          const FeatureShape& in) {
  const StageConfig& stage = space.stages()[static_cast<std::size_t>(place.stage)];
  const bool first = place.block == 0;
  const bool identity = !first || keeps_width(space, place.stage);
  const int out_channels =
      make_divisible(stage.width * axis_value(space, arch, Axis::kWidthMult, place.stage));
  return BottleneckSpec{
      .in_channels = in.channels,
      .mid_channels = middle_width(
          out_channels, axis_value(space, arch, Axis::kExpandRatio, place.stage, place.block)),
      .out_channels = out_channels,
      .kernel_size = stage.kernel_sizes.front(),
      .stride = first ? stage.stride : 1,
      .in_px = in.px,
      .act = stage.act,
      .downsample = identity ? Downsample::kNone : Downsample::kAvgPoolConv};
}

LayerSpec block_unit(const SearchSpace& space, const Arch& arch, const Place& place,
                     const FeatureShape& in) {
  if (space.family_kind() == Family::kBottleneck) return bottleneck_unit(space, arch, place, in);
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
  spec.mid_channels = middle_width(in.channels, expand_ratio);
  spec.se_channels = stage.squeeze_excite ? squeeze_channels(spec.mid_channels) : 0;
  spec.shortcut =
      spec.stride == 1 && spec.in_channels == spec.out_channels && (!first || stage.first_shortcut);
  return spec;
}

LayerSpec unit_at(const SearchSpace& space, const Arch& arch, const TaskIo& io, const Place& place,
                  const FeatureShape& in) {
  switch (place.part) {
    case Place::Part::kStem:
      return conv_unit(space, space.stem(), in);
    case Place::Part::kStemLayer:
      return stem_layer_unit(space, arch, place, in);
    case Place::Part::kMaxPool:
      return MaxPoolSpec{.channels = in.channels, .kernel_size = 3, .stride = 2, .in_px = in.px};
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
    case Place::Part::kStemLayer:
      return fmt::format("{}.{}", space.stem().name, place.block);
    case Place::Part::kMaxPool:
      return "max_pool";
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

/// Genes of a width, where it is elastic: of what a place gives, and of what it takes.
std::vector<std::optional<int>> width_genes(const SearchSpace& space, const Place& place) {
  const auto of_stem = [&](int part) {
    return space.find_gene(Axis::kWidthMult, kStemStage, part);
  };
  const auto of_stage = [&](int stage) {
    return stage < 0 ? of_stem(1) : space.find_gene(Axis::kWidthMult, stage);
  };
  switch (place.part) {
    case Place::Part::kStem:
      return {};
    case Place::Part::kStemLayer:
      if (place.block < kNumStemLayers - 1) return {of_stem(0)};
      return {of_stem(0), of_stem(1)};
    case Place::Part::kMaxPool:
      return {of_stem(1)};
    case Place::Part::kBlock:
      if (place.block > 0) return {of_stage(place.stage)};
      return {of_stage(place.stage - 1), of_stage(place.stage)};
    case Place::Part::kHead:
    case Place::Part::kPool:
    case Place::Part::kClassifier:
      return {of_stage(static_cast<int>(space.stages().size()) - 1)};
  }
  OMNIFIT_CHECK(false, "unknown part {}", static_cast<int>(place.part));
}

/// Ascending.
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
  if (place.part == Place::Part::kStemLayer && place.block == kResidualStemLayer) {
    add(space.find_gene(Axis::kDepth, kStemStage));
  }
  for (const std::optional<int> gene : width_genes(space, place)) add(gene);
  std::ranges::sort(genes);
  return genes;
}

/// Kernel sizes and middle widths of the slot's unit as it stands.
void set_fixed_widths(Slot& slot) {
  if (const auto* conv = std::get_if<ConvSpec>(&slot.largest)) {
    slot.kernel_sizes = {conv->kernel_size};
  } else if (const auto* block = std::get_if<MbConvSpec>(&slot.largest)) {
    slot.kernel_sizes = {block->kernel_size};
    slot.mid_channels = {block->mid_channels};
  } else if (const auto* bottleneck = std::get_if<BottleneckSpec>(&slot.largest)) {
    slot.kernel_sizes = {bottleneck->kernel_size};
    slot.mid_channels = {bottleneck->mid_channels};
  }
}

void set_elastic_widths(const SearchSpace& space, const Place& place, Slot& slot) {
  const StageConfig& stage = space.stages()[static_cast<std::size_t>(place.stage)];
  const auto* bottleneck = std::get_if<BottleneckSpec>(&slot.largest);
  const int width = bottleneck != nullptr ? bottleneck->out_channels
                                          : std::get<MbConvSpec>(slot.largest).in_channels;
  slot.kernel_sizes = stage.kernel_sizes;
  slot.mid_channels.clear();
  for (const double ratio : stage.expand_ratios) {
    slot.mid_channels.push_back(middle_width(width, ratio));
  }
}

/// Whether any gene but resolution and depth shapes the slot.
bool has_elastic_shape(const SearchSpace& space, const Slot& slot) {
  return std::ranges::any_of(slot.genes, [&](int gene) {
    const Axis axis = space.genes()[static_cast<std::size_t>(gene)].axis;
    return axis != Axis::kResolution && axis != Axis::kDepth;
  });
}

/// Number at the end of a slot's name ("blocks.3"), or where it has none, npos.
std::size_t number_position(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string::npos ? dot : dot + 1;
}

void check_range(const char* name, int value, int most) {
  if (value >= 1 && value <= most) return;
  throw std::invalid_argument(fmt::format("{} must be in [1, {}], got {}", name, most, value));
}

void check_io(const TaskIo& io) {
  check_range("in_channels", io.in_channels, detail::kMaxInChannels);
  check_range("num_classes", io.num_classes, detail::kMaxClasses);
}

}  // namespace

void require_layers(const SearchSpace& space) {
  if (space.family_kind() != Family::kTabular) return;
  throw ConfigError(fmt::format(
      "space {} is tabular: it has figures of its archs but no layers, so there is no network to "
      "build, count, train, profile or export",
      space.name()));
}

NetworkPlan lower(const SearchSpace& space, const Arch& arch, const TaskIo& io) {
  require_layers(space);
  check_io(io);
  NetworkPlan plan{.io = io, .resolution_px = resolution_px(space, arch), .units = {}};
  FeatureShape shape{io.in_channels, plan.resolution_px};
  int slot = 0;
  for (const Place& place : places(space)) {
    if (is_present(space, arch, place)) {
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
    slot.stage = all[i].part == Place::Part::kBlock ? all[i].stage : -1;
    slot.elastic = has_elastic_shape(space, slot);
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
  std::map<std::string, int> next_number;  // by what stands before it: "blocks.", "input_stem."
  for (const PlanUnit& unit : plan.units) {
    const auto index = static_cast<std::size_t>(unit.slot);
    OMNIFIT_CHECK(index < of_supernet.size(), "unit in slot {} of {}", unit.slot,
                  of_supernet.size());
    Slot slot;
    slot.name = of_supernet[index].name;
    if (const std::size_t number = number_position(slot.name); number != std::string::npos) {
      const std::string prefix = slot.name.substr(0, number);
      slot.name = prefix + std::to_string(next_number[prefix]++);
    }
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
