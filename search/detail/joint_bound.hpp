#pragma once

#include "search/joint_feasibility.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace omnifit::search::detail {

/// How far archs are from keeping several limits, and the least weighted sum of that over the
/// space. The gap of a limit is the excess relative to it: at most 0 where it is kept.
class JointBound {
 public:
  /// Genes held at one choice each.
  using Fixed = std::map<int, std::uint8_t>;

  JointBound(const space::SearchSpace& space, std::span<const AdditiveLimit> limits);

  [[nodiscard]] const space::SearchSpace& space() const { return space_; }
  [[nodiscard]] std::size_t num_limits() const { return limits_.size(); }
  /// Whether some archs have no known cost of this limit.
  [[nodiscard]] bool has_unknown(std::size_t limit) const { return has_unknown_[limit]; }
  /// One per limit; NaN where the arch's cost is unknown.
  [[nodiscard]] std::vector<double> gaps(const space::Arch& arch) const;
  /// Exactly as the limits say, whatever the gaps round to.
  [[nodiscard]] bool keeps(const space::Arch& arch) const;
  /// An arch with the least weighted sum of gaps among those with the fixed choices; nullopt if
  /// there is none whose costs are all known.
  [[nodiscard]] std::optional<space::Arch> least(std::span<const double> weights,
                                                 const Fixed& fixed) const;

 private:
  /// The tables of all limits over the same genes.
  struct Table {
    std::vector<int> genes;
    std::vector<std::pair<std::size_t, std::vector<double>>> of_limits;  ///< scaled to gaps
  };

  const space::SearchSpace& space_;
  std::span<const AdditiveLimit> limits_;
  std::vector<Table> tables_;
  std::vector<bool> has_unknown_;
};

}  // namespace omnifit::search::detail
