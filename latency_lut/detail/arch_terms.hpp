#pragma once

#include "space/additive_cost.hpp"
#include "space/arch.hpp"
#include "space/plan.hpp"
#include "space/search_space.hpp"

#include <Eigen/Core>

#include <cstddef>
#include <span>
#include <vector>

namespace omnifit::latency::detail {

/// Features of a few genes: a row of numbers for every combination of their choices. A linear model
/// over the features of several tables is a sum of tables over the same genes.
struct FeatureTable {
  std::vector<int> genes;            ///< ascending
  std::vector<std::size_t> strides;  ///< of the row of an arch; the last gene varies fastest
  Eigen::MatrixXd rows;
  /// The last columns of `rows` that also add to columns shared by all tables, so that few samples
  /// determine a weight of their own; 0 or the same in every table that has any.
  Eigen::Index num_shared = 0;
};

/// The tables whose features an additive latency model of the space is fitted on.
std::vector<FeatureTable> feature_tables(const space::SearchSpace& space, const space::TaskIo& io);

/// All features of each arch: table after table, then the shared columns.
Eigen::MatrixXd arch_features(const std::vector<FeatureTable>& tables,
                              std::span<const space::Arch> archs);

/// The tables that weights of those columns amount to.
std::vector<space::AdditiveCost::Term> weighted_terms(const std::vector<FeatureTable>& tables,
                                                      const Eigen::VectorXd& weights);

}  // namespace omnifit::latency::detail
