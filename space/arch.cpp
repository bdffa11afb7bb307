#include "space/arch.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"

#include <bit>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace omnifit::space {

namespace {

void check_same_space(const SearchSpace& space, const Arch& arch) {
  OMNIFIT_CHECK(arch.space_fingerprint() == space.fingerprint(),
                "an arch of space {} was used with space {} ({})",
                core::hex64(arch.space_fingerprint()), space.name(),
                core::hex64(space.fingerprint()));
}

const StageConfig& stage_at(const SearchSpace& space, int stage) {
  if (stage < 0 || static_cast<std::size_t>(stage) >= space.stages().size()) {
    throw std::invalid_argument(
        fmt::format("stage must be in [0, {}), got {}", space.stages().size(), stage));
  }
  return space.stages()[static_cast<std::size_t>(stage)];
}

const StageConfig& stage_of_block(const SearchSpace& space, int stage, int block) {
  const StageConfig& config = stage_at(space, stage);
  if (block < 0 || block >= config.max_depth()) {
    throw std::invalid_argument(fmt::format("block of stage {} must be in [0, {}), got {}", stage,
                                            config.max_depth(), block));
  }
  return config;
}

/// The chosen value, or the single one where there is no gene.
template <class T>
T chosen(const Arch& arch, const std::vector<T>& choices, std::optional<int> gene) {
  return choices[gene ? static_cast<std::size_t>(arch.choice(*gene)) : 0];
}

template <class ChoiceOf>
Arch with_choices(const SearchSpace& space, ChoiceOf choice_of) {
  std::array<std::uint8_t, Arch::kMaxGenes> choices{};
  const std::size_t count = space.genes().size();
  for (std::size_t g = 0; g < count; ++g) {
    choices[g] = static_cast<std::uint8_t>(choice_of(space.genes()[g]));
  }
  return {space, std::span(std::as_const(choices)).first(count)};
}

}  // namespace

Arch::Arch(const SearchSpace& space, std::span<const std::uint8_t> choice_indices)
    : space_(space.fingerprint()) {
  const std::vector<Gene>& genes = space.genes();
  if (choice_indices.size() != genes.size()) {
    throw std::invalid_argument(
        fmt::format("choice_indices must have {} elements for space {}, got {}", genes.size(),
                    space.name(), choice_indices.size()));
  }
  size_ = static_cast<std::uint8_t>(genes.size());
  for (std::size_t g = 0; g < genes.size(); ++g) {
    const Gene& gene = genes[g];
    if (choice_indices[g] >= gene.choices.size()) {
      throw std::invalid_argument(fmt::format("choice index of {} must be in [0, {}), got {}",
                                              gene_name(gene), gene.choices.size(),
                                              choice_indices[g]));
    }
    // A gene stands behind the one that switches it, which is canonical already.
    const bool active =
        !gene.active_if || choice(gene.active_if->gene) >= gene.active_if->min_choice;
    choices_[g] = active ? choice_indices[g] : std::uint8_t{0};
  }
}

std::uint64_t Arch::hash() const {
  std::array<std::uint8_t, sizeof(space_) + kMaxGenes> bytes{};
  for (std::size_t i = 0; i < sizeof(space_); ++i) {
    bytes[i] = static_cast<std::uint8_t>(space_ >> (8 * i));
  }
  std::memcpy(bytes.data() + sizeof(space_), choices_.data(), size_);
  return core::stable_hash(std::as_bytes(std::span(bytes).first(sizeof(space_) + size_)));
}

bool is_active(const SearchSpace& space, const Arch& arch, int gene) {
  check_same_space(space, arch);
  const auto& active_if = space.genes()[static_cast<std::size_t>(gene)].active_if;
  return !active_if || arch.choice(active_if->gene) >= active_if->min_choice;
}

double axis_value(const SearchSpace& space, const Arch& arch, Axis axis, int stage, int block) {
  check_same_space(space, arch);
  if (axis == Axis::kCategory || space.family_kind() == Family::kTabular) {
    throw std::invalid_argument(
        fmt::format("space {} has no sizes along the axis {}", space.name(), axis_name(axis)));
  }
  switch (axis) {
    case Axis::kResolution:
      return chosen(arch, space.resolutions(), space.find_gene(axis));
    case Axis::kDepth: {
      const bool stem = stage == kStemStage && space.family_kind() == Family::kBottleneck;
      return chosen(arch, stem ? space.stem_depths() : stage_at(space, stage).depths,
                    space.find_gene(axis, stage));
    }
    case Axis::kKernelSize:
      return chosen(arch, stage_of_block(space, stage, block).kernel_sizes,
                    space.find_gene(axis, stage, block));
    case Axis::kExpandRatio:
      return chosen(arch, stage_of_block(space, stage, block).expand_ratios,
                    space.find_gene(axis, stage, block));
    case Axis::kWidthMult:
      return chosen(arch, space.width_mults(), space.find_gene(axis, stage, block));
    case Axis::kCategory:
      break;
  }
  OMNIFIT_CHECK(false, "unknown axis {}", static_cast<int>(axis));
}

int resolution_px(const SearchSpace& space, const Arch& arch) {
  return static_cast<int>(axis_value(space, arch, Axis::kResolution));
}

int depth(const SearchSpace& space, const Arch& arch, int stage) {
  return static_cast<int>(axis_value(space, arch, Axis::kDepth, stage));
}

Arch largest(const SearchSpace& space) {
  return with_choices(space, [](const Gene& gene) { return gene.choices.size() - 1; });
}

Arch smallest(const SearchSpace& space) {
  return with_choices(space, [](const Gene&) { return 0; });
}

}  // namespace omnifit::space
