#pragma once

#include "core/rng.hpp"
#include "space/arch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace omnifit::search::detail {

/// A choice index per gene, first come first; what lies behind the space's last gene is 0.
using Choices = std::array<std::uint8_t, space::Arch::kMaxGenes>;

/// An arch that differs from another one in a gene, and in those that this one switches.
struct Flip {
  std::size_t gene = 0;
  std::uint8_t choice = 0;
  Choices choices{};
};

/// A space's genes as evolution sees them: flat, so that a child costs no allocation and no check.
class Genetics {
 public:
  explicit Genetics(const space::SearchSpace& space);

  [[nodiscard]] std::size_t num_genes() const { return genes_.size(); }
  [[nodiscard]] std::size_t num_choices(std::size_t gene) const { return genes_[gene].num_choices; }
  [[nodiscard]] const space::SearchSpace& space() const { return space_; }
  /// Whether the gene has an effect. @pre the genes before it are canonical
  [[nodiscard]] bool is_active(const Choices& choices, std::size_t gene) const {
    return choices[genes_[gene].owner] >= genes_[gene].min_choice;
  }
  /// A bit for each gene that has an effect. @pre the choices are canonical
  [[nodiscard]] std::uint64_t active_genes(const Choices& choices) const;
  /// A bit for each gene of another choice.
  [[nodiscard]] static std::uint64_t differing(const Choices& a, const Choices& b);
  /// Genes whose activity depends on this one's choice.
  [[nodiscard]] std::span<const std::uint8_t> switched_by(std::size_t gene) const {
    return switched_[gene];
  }

  [[nodiscard]] Choices choices(const space::Arch& arch) const;
  [[nodiscard]] space::Arch arch(const Choices& choices) const;
  /// Sets genes without effect to 0.
  void canonicalise(Choices& choices) const;

  /// Gives the gene this choice, and what it switches accordingly.
  void impose(std::size_t gene, std::uint8_t choice, Choices& choices) const {
    choices[gene] = choice;
    if (genes_[gene].is_owner) canonicalise(choices);
  }

  /// Every active gene moves to another choice with probability `prob`, at least one does; genes
  /// that become active are drawn. The result is canonical. @pre some gene exists
  [[nodiscard]] Choices mutate(const Choices& parent, double prob, core::Rng& rng) const;
  /// So many active genes move to another choice, all of them if there are fewer; genes that become
  /// active are drawn. The result is canonical. @pre some gene exists
  [[nodiscard]] Choices move(const Choices& parent, std::size_t count, core::Rng& rng) const;
  /// Every gene from either parent with equal chance, or from the one in which it has an effect.
  [[nodiscard]] Choices cross(const Choices& a, const Choices& b, core::Rng& rng) const;
  /// Another choice of the gene, all with the same chance.
  [[nodiscard]] std::uint8_t draw_other(std::size_t gene, std::uint8_t current,
                                        core::Rng& rng) const;
  /// Every arch that differs in one active gene; genes that become active take their first choice.
  [[nodiscard]] std::vector<Flip> flips(const Choices& choices) const;

 private:
  struct Gene {
    std::uint8_t owner = 0;       ///< that switches it; itself, which is always active
    std::uint8_t min_choice = 0;  ///< of the owner
    std::uint8_t num_choices = 0;
    bool is_owner = false;  ///< whether it switches others
  };

  /// What a gene's choice leaves active, where it switches others.
  struct Owner {
    std::size_t gene = 0;
    std::vector<std::uint64_t> active;  ///< by its choice, a bit per gene
  };

  const space::SearchSpace& space_;
  std::vector<Gene> genes_;
  std::vector<Owner> owners_;  ///< ascending
  std::uint64_t all_genes_ = 0;
  std::vector<std::vector<std::uint8_t>> switched_;  ///< by each gene
};

}  // namespace omnifit::search::detail
