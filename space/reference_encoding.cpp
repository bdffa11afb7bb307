#include "space/reference_encoding.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>

namespace omnifit::space {

namespace {

template <class T>
void add_one_hot(std::vector<double>& row, const std::vector<T>& choices, double value,
                 bool active = true) {
  for (const T choice : choices) row.push_back(active && choice == value ? 1.0 : 0.0);
}

bool has_genes(const SearchSpace& space, int stage) {
  return std::ranges::any_of(space.genes(), [stage](const Gene& g) { return g.stage == stage; });
}

/// Choices of an axis that blocks have, for every block slot of the stages with genes.
void add_blocks(std::vector<double>& row, const SearchSpace& space, const Arch& arch, Axis axis) {
  for (int stage = 0; stage < static_cast<int>(space.stages().size()); ++stage) {
    if (!has_genes(space, stage)) continue;
    const StageConfig& config = space.stages()[static_cast<std::size_t>(stage)];
    for (int block = 0; block < config.max_depth(); ++block) {
      const bool active = block < depth(space, arch, stage);
      const double value = axis_value(space, arch, axis, stage, block);
      if (axis == Axis::kKernelSize) {
        add_one_hot(row, config.kernel_sizes, value, active);
      } else {
        add_one_hot(row, config.expand_ratios, value, active);
      }
    }
  }
}

void add_resolution(std::vector<double>& row, const SearchSpace& space, const Arch& arch,
                    const std::vector<int>& sizes) {
  const int px = resolution_px(space, arch);
  if (std::ranges::find(sizes, px) == sizes.end()) {
    throw std::invalid_argument(
        fmt::format("resolution {} has no column; allowed: {}", px, fmt::join(sizes, ", ")));
  }
  add_one_hot(row, sizes, px);
}

void add_stem_and_widths(std::vector<double>& row, const SearchSpace& space, const Arch& arch) {
  add_one_hot(row, std::vector<int>{0, 1}, axis_value(space, arch, Axis::kDepth, kStemStage));
  const auto add_width = [&](int stage, int part) {
    add_one_hot(row, space.width_mults(), axis_value(space, arch, Axis::kWidthMult, stage, part));
  };
  add_width(kStemStage, 0);
  add_width(kStemStage, 1);
  for (int stage = 0; stage < static_cast<int>(space.stages().size()); ++stage)
    add_width(stage, -1);
}

}  // namespace

ReferenceEncoding tutorial_encoding() {
  return {.order = ReferenceEncoding::Order::kBlocksFirst,
          .sizes = {112, 128, 144, 160, 176, 192, 208, 224}};
}

std::vector<double> reference_row(const SearchSpace& space, const Arch& arch,
                                  const ReferenceEncoding& encoding) {
  const bool bottleneck = space.family_kind() == Family::kBottleneck;
  const bool blocks_first = encoding.order == ReferenceEncoding::Order::kBlocksFirst;
  if (bottleneck && blocks_first) {
    throw std::invalid_argument("a bottleneck space has its resolution first");
  }
  std::vector<double> row;
  if (!blocks_first) add_resolution(row, space, arch, encoding.sizes);
  if (bottleneck) {
    add_stem_and_widths(row, space, arch);
  } else {
    add_blocks(row, space, arch, Axis::kKernelSize);
  }
  add_blocks(row, space, arch, Axis::kExpandRatio);
  if (blocks_first) add_resolution(row, space, arch, encoding.sizes);
  return row;
}

}  // namespace omnifit::space
