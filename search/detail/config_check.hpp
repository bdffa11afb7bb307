#pragma once

#include "core/fields.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace omnifit::search::detail {

/// Ranges that the job file and direct callers share.
inline constexpr core::IntRange kEvaluationsRange{1, 100'000'000};
inline constexpr core::IntRange kBatchRange{1, 1'000'000};
inline constexpr core::IntRange kPopulationRange{2, 1'000'000};
inline constexpr core::IntRange kGenerationsRange{0, 1'000'000};
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

}  // namespace omnifit::search::detail
