#pragma once

#include "space/arch.hpp"

#include <span>
#include <string>
#include <vector>

namespace omnifit::space {

/// Numeric features of an arch for predictors. One-hot: a column per choice of every gene. Ordinal:
/// a column per gene in [0, 1] plus one that says whether it is active. Inactive genes give zeros.
enum class Encoding { kOneHot, kOrdinal };

int num_columns(const SearchSpace& space, Encoding encoding);
std::vector<std::string> column_names(const SearchSpace& space, Encoding encoding);
/// Writes num_columns values to `row`.
void encode(const SearchSpace& space, const Arch& arch, Encoding encoding, std::span<double> row);

/// Stored with every fitted predictor and checked on use: encoding, columns and space fingerprint.
std::uint64_t layout_version(const SearchSpace& space, Encoding encoding);

}  // namespace omnifit::space
