#pragma once

#include "space/search_space.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace omnifit::space::detail {

/// How a column of a table spells a whole arch: literal text around the genes' names in braces, as
/// in "|{edge_0_1}~0|+|{edge_0_2}~0|". Genes may touch: then the longest fitting choice is taken.
class ArchPattern {
 public:
  /// Choice indices, or one line that says what is wrong.
  using Parsed = std::variant<std::vector<std::uint8_t>, std::string>;

  /// A pattern of these genes, or one line that says what is wrong with the text.
  static std::variant<ArchPattern, std::string> compile(std::string_view text,
                                                        const std::vector<std::string>& genes);

  /// @pre `genes` are those the pattern was compiled for, in the same order
  [[nodiscard]] Parsed parse(std::string_view cell, std::span<const Gene> genes) const;

 private:
  struct Part {
    std::size_t gene = 0;
    std::string following;  ///< literal text behind the gene
  };
  std::string prefix_;
  std::vector<Part> parts_;
};

/// Index of the choice of that name, or nullopt.
std::optional<std::uint8_t> find_label(const Gene& gene, std::string_view label);

/// "found 'x', allowed: a, b": what a table says of a gene.
std::string unknown_label(const Gene& gene, std::string_view label);

}  // namespace omnifit::space::detail
