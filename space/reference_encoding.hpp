#pragma once

#include "space/arch.hpp"

#include <vector>

namespace omnifit::space {

/// Features of an arch in the column order of the reference's accuracy predictors, which released
/// weights expect. Ones at the chosen resolution and at the choices of every block that runs.
struct ReferenceEncoding {
  enum class Order {
    kBlocksFirst,     ///< kernel sizes, expand ratios, resolution: the tutorial's predictor
    kResolutionFirst  ///< resolution, kernel sizes, expand ratios; of a bottleneck space
                      ///< resolution, stem (without and with its residual layer), widths, ratios
  };
  Order order = Order::kResolutionFirst;
  std::vector<int> sizes;  ///< resolutions with a column, ascending
};

/// The tutorial's: 128 columns for the MobileNetV3 space, resolutions 112 to 224 in steps of 16.
ReferenceEncoding tutorial_encoding();

/// One row. Blocks of stages without genes have no columns.
/// @throws std::invalid_argument if the arch's resolution is not one of `sizes`, or if a bottleneck
/// space is asked for with the blocks first.
std::vector<double> reference_row(const SearchSpace& space, const Arch& arch,
                                  const ReferenceEncoding& encoding);

}  // namespace omnifit::space
