#pragma once

#include "space/arch.hpp"
#include "space/plan.hpp"
#include "space/search_space.hpp"

#include <Eigen/Core>

#include <cstdint>
#include <span>

namespace omnifit::predictors {

/// Inputs of an accuracy predictor, one row per arch: the one-hot encoding, then a few figures of
/// the lowered plan. @throws std::invalid_argument if an arch is of another space.
Eigen::MatrixXd arch_features(const space::SearchSpace& space, const space::TaskIo& io,
                              std::span<const space::Arch> archs);

/// Stable hash of what the columns mean: space, encoding, plan figures and the task they are
/// computed for. Stored with every fitted predictor and checked on use.
std::uint64_t feature_layout_version(const space::SearchSpace& space, const space::TaskIo& io);

}  // namespace omnifit::predictors
