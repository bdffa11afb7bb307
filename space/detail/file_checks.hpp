#pragma once

#include "core/fields.hpp"
#include "space/search_space.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What the files of every family have in common: limits and checks of fields.
namespace omnifit::space::detail {

// Far beyond any network of these families. What they come to together, see size_checks.hpp.
inline constexpr int kMaxPx = 4096;
inline constexpr int kMaxWidth = 8192;
inline constexpr int kMaxKernelSize = 31;
inline constexpr int kMaxStride = 8;
inline constexpr int kMaxDepth = 32;
inline constexpr double kMaxExpandRatio = 16.0;
inline constexpr double kMaxWidthMult = 8.0;
/// A choice index is one byte of an Arch.
inline constexpr std::size_t kMaxChoices = 255;

const core::EnumTable<Family>& family_table();

/// Reports lists of choices that are empty, longer than a choice index can count, unsorted or
/// repeat a value.
void check_choices(core::Fields& f, std::string_view name, const std::vector<int>& choices);
void check_choices(core::Fields& f, std::string_view name, const std::vector<double>& choices);

/// An odd kernel keeps the output size a function of stride and input size alone.
void check_odd(core::Fields& f, std::string_view name, const std::vector<int>& kernel_sizes);

/// Names of units are prefixes of tensor names and names of spaces stand in arch texts.
void check_identifier(core::Fields& f, std::string_view name, const std::string& value);

/// Reports a smallest resolution that strides of this product leave nothing of.
void check_resolutions(core::Fields& f, const std::vector<int>& resolutions, int total_stride);

/// Product of strides, cut off where only "too large" matters.
int capped_product(int total_stride, int stride);

}  // namespace omnifit::space::detail
