#pragma once

#include "learn/gaussian_process.hpp"
#include "predictors/features.hpp"
#include "search/surrogate.hpp"
#include "space/cell_graph.hpp"
#include "space/plan.hpp"
#include "space/search_space.hpp"

#include <Eigen/Core>

#include <optional>
#include <span>
#include <vector>

namespace omnifit::predictors {

/// The model of an active search: a Gaussian process over the features of an arch (ArchFeatures)
/// and, in a tabular space whose genes are edges of a graph, the figures of the graph's live part
/// (space::CellFeatures), each with a relevance of its own.
class ArchSurrogate final : public search::Surrogate {
 public:
  /// `io`: the task of a space with layers; of no consequence in a tabular space.
  ArchSurrogate(const space::SearchSpace& space, const space::TaskIo& io);

  /// @throws std::invalid_argument if an arch is of another space or a value is not finite.
  void fit(std::span<const space::Arch> archs, std::span<const double> values) override;
  [[nodiscard]] search::SurrogatePrediction predict(
      std::span<const space::Arch> archs) const override;

 private:
  [[nodiscard]] Eigen::MatrixXd encode(std::span<const space::Arch> archs) const;
  [[nodiscard]] std::vector<int> column_groups() const;

  ArchFeatures features_;
  std::optional<space::CellFeatures> cells_;
  learn::GaussianProcessRegressor model_;
};

}  // namespace omnifit::predictors
