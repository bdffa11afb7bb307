#pragma once

#include "core/error.hpp"
#include "space/search_space.hpp"

#include <cstddef>
#include <string>

/// What keeps costs within 64 bits and tables of units within memory, whatever a file asks for.
namespace omnifit::space::detail {

inline constexpr int kMaxBlocks = 1000;
inline constexpr double kMaxMacs = 1e18;
inline constexpr std::size_t kMaxUnits = 1'000'000;

/// Of a task: far beyond any, and small enough for kMaxMacs.
inline constexpr int kMaxInChannels = 4096;
inline constexpr int kMaxClasses = 10'000'000;

/// @throws ConfigError at `where`, with `key`, for a space with more than kMaxBlocks blocks, whose
/// largest network may need more than kMaxMacs multiply-accumulates for some task, or whose genes
/// combine to more than kMaxUnits units.
void check_size(const SearchSpace& space, const SourceLocation& where, const std::string& key);

}  // namespace omnifit::space::detail
