#pragma once

#include "space/arch.hpp"
#include "space/search_space.hpp"

#include <cstdint>
#include <vector>

namespace omnifit::predictors {

/// Leads from the archs of one space to the nearest ones of a sibling: a space of the same family
/// with as many stages. Every gene takes the choice with the nearest value, of two equally near the
/// smaller; a block that only the sibling can have does not run. Immutable and thread-safe.
class ArchTranslation {
 public:
  /// @throws std::invalid_argument saying why `to` is no sibling of `from`. A tabular space, whose
  /// choices are names, has no sibling but itself.
  ArchTranslation(const space::SearchSpace& from, const space::SearchSpace& to);

  /// @throws std::invalid_argument if the arch is not of `from`.
  [[nodiscard]] space::Arch operator()(const space::Arch& arch) const;

 private:
  /// Where the choice of one gene of the sibling comes from.
  struct Source {
    int gene = -1;                        ///< of `from`; -1: the same for all archs
    std::vector<std::uint8_t> choice_of;  ///< per choice of that gene
  };

  space::SearchSpace to_;
  std::uint64_t from_ = 0;
  std::vector<Source> sources_;
};

}  // namespace omnifit::predictors
