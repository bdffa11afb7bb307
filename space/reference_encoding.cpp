#include "space/reference_encoding.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace omnifit::space {

namespace {

bool has_genes(const SearchSpace& space, int stage) {
  return std::ranges::any_of(space.genes(), [stage](const Gene& g) { return g.stage == stage; });
}

int gene_or_none(const SearchSpace& space, Axis axis, int stage = -1, int block = -1) {
  return space.find_gene(axis, stage, block).value_or(-1);
}

std::invalid_argument no_column(int px, const std::vector<int>& sizes) {
  return std::invalid_argument(
      fmt::format("resolution {} has no column; allowed: {}", px, fmt::join(sizes, ", ")));
}

/// Index of the size nearest to `px`, of two equally near ones the smaller.
std::size_t nearest_size(const std::vector<int>& sizes, int px) {
  const auto nearer = [px](int a, int b) { return std::abs(a - px) < std::abs(b - px); };
  return static_cast<std::size_t>(std::ranges::min_element(sizes, nearer) - sizes.begin());
}

}  // namespace

ReferenceEncoding tutorial_encoding() {
  return {.order = ReferenceEncoding::Order::kBlocksFirst,
          .sizes = {112, 128, 144, 160, 176, 192, 208, 224}};
}

ReferenceEncoder::ReferenceEncoder(const SearchSpace& space, const ReferenceEncoding& encoding,
                                   Resolutions resolutions)
    : space_(space.fingerprint()) {
  const bool bottleneck = space.family_kind() == Family::kBottleneck;
  const bool blocks_first = encoding.order == ReferenceEncoding::Order::kBlocksFirst;
  if (bottleneck && blocks_first) {
    throw std::invalid_argument("a bottleneck space has its resolution first");
  }
  if (!blocks_first) add_resolution(space, encoding.sizes, resolutions);
  if (bottleneck) {
    add_stem_and_widths(space);
  } else {
    add_blocks(space, Axis::kKernelSize);
  }
  add_blocks(space, Axis::kExpandRatio);
  if (blocks_first) add_resolution(space, encoding.sizes, resolutions);
  if (positions_.size() > Columns().size()) {
    throw std::invalid_argument(fmt::format("a row of space '{}' would have {} ones; allowed: {}",
                                            space.name(), positions_.size(), Columns().size()));
  }
}

void ReferenceEncoder::add(Position position, std::size_t num_choices) {
  position.first_column = num_columns_;
  positions_.push_back(std::move(position));
  num_columns_ += static_cast<int>(num_choices);
}

void ReferenceEncoder::add_resolution(const SearchSpace& space, const std::vector<int>& sizes,
                                      Resolutions resolutions) {
  if (sizes.empty()) throw std::invalid_argument("an encoding needs at least one resolution");
  Position position{.gene = gene_or_none(space, Axis::kResolution)};
  for (const int px : space.resolutions()) {
    const std::size_t column = nearest_size(sizes, px);
    if (resolutions == Resolutions::kExact && sizes[column] != px) throw no_column(px, sizes);
    position.column_of.push_back(static_cast<std::uint16_t>(column));
  }
  add(std::move(position), sizes.size());
}

void ReferenceEncoder::add_stem_and_widths(const SearchSpace& space) {
  // Two columns, without and with the residual layer of the stem, also where it is no choice.
  const int stem_gene = gene_or_none(space, Axis::kDepth, kStemStage);
  Position stem{.gene = stem_gene};
  for (const int depth : space.stem_depths()) {
    stem.column_of.push_back(static_cast<std::uint16_t>(depth));
  }
  add(std::move(stem), 2);
  const auto add_width = [&](int stage, int part) {
    add({.gene = gene_or_none(space, Axis::kWidthMult, stage, part)}, space.width_mults().size());
  };
  add_width(kStemStage, 0);
  add_width(kStemStage, 1);
  for (int stage = 0; stage < static_cast<int>(space.stages().size()); ++stage) {
    add_width(stage, -1);
  }
}

void ReferenceEncoder::add_blocks(const SearchSpace& space, Axis axis) {
  for (int stage = 0; stage < static_cast<int>(space.stages().size()); ++stage) {
    if (!has_genes(space, stage)) continue;
    const StageConfig& config = space.stages()[static_cast<std::size_t>(stage)];
    const std::size_t num_choices =
        axis == Axis::kKernelSize ? config.kernel_sizes.size() : config.expand_ratios.size();
    for (int block = 0; block < config.max_depth(); ++block) {
      const auto runs = [block](int depth) { return depth > block; };
      add({.gene = gene_or_none(space, axis, stage, block),
           .depth_gene = gene_or_none(space, Axis::kDepth, stage),
           .min_depth =
               static_cast<int>(std::ranges::find_if(config.depths, runs) - config.depths.begin())},
          num_choices);
    }
  }
}

std::span<const std::uint16_t> ReferenceEncoder::ones(const Arch& arch, Columns& columns) const {
  if (arch.space_fingerprint() != space_) {
    throw std::invalid_argument("the arch is of another space than the encoder");
  }
  std::size_t count = 0;
  for (const Position& position : positions_) {
    if (position.depth_gene >= 0 && arch.choice(position.depth_gene) < position.min_depth) continue;
    const int choice = position.gene >= 0 ? arch.choice(position.gene) : 0;
    const int offset =
        position.column_of.empty() ? choice : position.column_of[static_cast<std::size_t>(choice)];
    columns[count++] = static_cast<std::uint16_t>(position.first_column + offset);
  }
  return std::span(columns).first(count);
}

std::vector<double> reference_row(const SearchSpace& space, const Arch& arch,
                                  const ReferenceEncoding& encoding) {
  const int px = resolution_px(space, arch);
  const ReferenceEncoder encoder(space, encoding, ReferenceEncoder::Resolutions::kNearest);
  if (std::ranges::find(encoding.sizes, px) == encoding.sizes.end()) {
    throw no_column(px, encoding.sizes);
  }
  std::vector<double> row(static_cast<std::size_t>(encoder.num_columns()));
  ReferenceEncoder::Columns columns;
  for (const std::uint16_t column : encoder.ones(arch, columns)) row[column] = 1.0;
  return row;
}

}  // namespace omnifit::space
