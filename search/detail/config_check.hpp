#pragma once

#include "core/fields.hpp"
#include "space/arch.hpp"
#include "space/search_space.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>

namespace omnifit::search::detail {

/// Ranges that the job file and direct callers share.
inline constexpr core::IntRange kEvaluationsRange{1, 100'000'000};
inline constexpr core::IntRange kBatchRange{1, 1'000'000};
inline constexpr core::IntRange kPopulationRange{2, 1'000'000};
inline constexpr core::IntRange kGenerationsRange{0, 1'000'000};
inline constexpr core::IntRange kPatienceRange{1, 1'000'000};
inline constexpr core::IntRange kCandidatesRange{1, 1000};
inline constexpr core::IntRange kClimbersRange{0, 1'000'000};
inline constexpr core::IntRange kGuidedRange{0, 100'000'000};
inline constexpr core::RealRange kShareRange{.min = 0.0, .max = 1.0};
inline constexpr core::RealRange kParentRatioRange{.min = 0.0, .max = 1.0, .open_min = true};

/// @throws std::invalid_argument with name, allowed range and value.
inline void require_in(std::string_view name, std::int64_t value, core::IntRange allowed) {
  if (value >= allowed.min && value <= allowed.max) return;
  throw std::invalid_argument(
      fmt::format("{} must be in [{}, {}], got {}", name, allowed.min, allowed.max, value));
}
inline void require_in(std::string_view name, double value, core::RealRange allowed) {
  // A NaN is in no range.
  if ((allowed.open_min ? value > allowed.min : value >= allowed.min) && value <= allowed.max)
    return;
  throw std::invalid_argument(fmt::format("{} must be in {}{}, {}], got {}", name,
                                          allowed.open_min ? '(' : '[', allowed.min, allowed.max,
                                          value));
}

/// @throws std::invalid_argument naming the first seed that is of another space.
inline void require_of_space(std::span<const space::Arch> seeds, const space::SearchSpace& space) {
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    if (seeds[i].space_fingerprint() == space.fingerprint()) continue;
    throw std::invalid_argument(
        fmt::format("seed {} is an arch of another space than {}", i, space.name()));
  }
}

}  // namespace omnifit::search::detail
