#pragma once

#include "space/search_space.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace omnifit::space {

/// One subnet of a space: a choice index per gene, canonical (inactive genes are 0).
///
/// `==` therefore means "the same network". Values (ratios, sizes) never live in here. Small and
/// trivially copyable; cheap as a key.
class Arch {
 public:
  static constexpr int kMaxGenes = 63;

  Arch() = default;
  /// Canonicalises: sets inactive genes to 0.
  /// @throws std::invalid_argument if the number of genes or an index does not fit the space.
  Arch(const SearchSpace& space, std::span<const std::uint8_t> choice_indices);

  [[nodiscard]] std::span<const std::uint8_t> choices() const { return {choices_.data(), size_}; }
  [[nodiscard]] int choice(int gene) const { return choices_[static_cast<std::size_t>(gene)]; }
  [[nodiscard]] std::uint64_t space_fingerprint() const { return space_; }
  /// Stable hash of the canonical bytes and the fingerprint.
  [[nodiscard]] std::uint64_t hash() const;

  friend bool operator==(const Arch&, const Arch&) = default;
  friend auto operator<=>(const Arch&, const Arch&) = default;

 private:
  std::uint64_t space_ = 0;
  std::array<std::uint8_t, kMaxGenes> choices_{};
  std::uint8_t size_ = 0;
};

struct ArchHash {
  std::size_t operator()(const Arch& arch) const { return static_cast<std::size_t>(arch.hash()); }
};

/// Whether gene `gene` has an effect in this arch.
bool is_active(const SearchSpace& space, const Arch& arch, int gene);
/// Value of an axis at a position, also where the space has a single choice; of a gene without
/// effect its first choice. The stem of a bottleneck space is stage kStemStage.
/// @throws std::invalid_argument if the space has no such stage or block.
double axis_value(const SearchSpace& space, const Arch& arch, Axis axis, int stage = -1,
                  int block = -1);
int resolution_px(const SearchSpace& space, const Arch& arch);
int depth(const SearchSpace& space, const Arch& arch, int stage);

/// Every gene at its largest (smallest) choice.
Arch largest(const SearchSpace& space);
Arch smallest(const SearchSpace& space);

/// One stable line: "tiny/v1 r=16 d=2,1 k=3.5,3 e=4.3,4": elastic axes only, active positions only,
/// the stem (where it is elastic) before the stages, stages separated by ',' and blocks by '.'. A
/// fractional value has 'p' for its point (0.25 is "0p25"). Of a tabular space "cells/v1
/// edge_a=conv edge_b=none", a word per gene. parse ∘ print = identity.
std::string to_text(const SearchSpace& space, const Arch& arch);
/// @throws ConfigError naming the field, what was found and what is allowed.
Arch parse_arch(const SearchSpace& space, std::string_view text);

/// JSON compatible with the reference: {"ks": […], "e": […], "d": […], "image_size": …}, all block
/// slots of the elastic stages (those with at least one gene); skipped blocks carry the first
/// choice.
///
/// Of a bottleneck space {"d": […], "e": […], "w": […], "image_size": …}: "d" starts with the stem
/// (the largest of the stages' numbers if its residual layer runs, else 0) and counts the blocks of
/// each stage beyond its base depth; "w" holds indices into the width multipliers: inner stem, stem
/// output, stages. Of a tabular space {"edge_a": "conv", …}, a key per gene.
std::string to_json(const SearchSpace& space, const Arch& arch);
/// Inverse of to_json; values of skipped blocks are checked and then forgotten.
/// @throws ConfigError naming the field, what was found and what is allowed.
Arch parse_arch_json(const SearchSpace& space, std::string_view json);

/// What people type: the one-line form, the JSON form, "largest" or "smallest". @throws as those.
Arch parse_any_arch(const SearchSpace& space, std::string_view text);

}  // namespace omnifit::space
