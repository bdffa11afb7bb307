#pragma once

#include "space/additive_cost.hpp"
#include "space/arch.hpp"
#include "space/plan.hpp"
#include "space/search_space.hpp"

#include <Eigen/Core>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace omnifit::predictors {

/// Turns archs into the inputs of an accuracy predictor, compiled once per space: nothing is
/// lowered per arch. Immutable and thread-safe.
///
/// Columns: the one-hot encoding; the sum of every axis over the active genes (how deep, how wide,
/// how large the kernels are in all); and logarithms of MACs and parameters, of the whole network
/// and of every stage. What stages spend tells subnets apart long before samples tell single
/// choices apart. Of a space of categories, which has no networks: the one-hot encoding and how
/// often each label was chosen. All but the first are scaled to [0, 1] over the space.
class ArchFeatures {
 public:
  ArchFeatures(const space::SearchSpace& space, const space::TaskIo& io);

  /// One row per arch. @throws std::invalid_argument if an arch is of another space.
  [[nodiscard]] Eigen::MatrixXd encode(std::span<const space::Arch> archs) const;

  [[nodiscard]] int num_columns() const { return static_cast<int>(column_groups_.size()); }
  /// Columns that stand for one thing share a group (learn::RegressorOptions): the one-hot columns
  /// of an axis; any other column alone.
  [[nodiscard]] const std::vector<int>& column_groups() const { return column_groups_; }
  /// Of the columns behind the one-hot encoding: "sum of depth", "log macs", "log params of stage
  /// 2", "count of conv".
  [[nodiscard]] const std::vector<std::string>& figure_names() const { return figure_names_; }
  /// Stable hash of what the columns mean: space, encoding, figures and the task they are computed
  /// for. Stored with every fitted predictor and checked on use.
  [[nodiscard]] std::uint64_t layout_version() const { return layout_version_; }

 private:
  /// A number of an arch: the sum of a table entry per gene, or the logarithm of a cost.
  struct Figure {
    std::vector<std::vector<double>> by_choice;  ///< per gene; empty: the gene says nothing
    int cost = -1;                               ///< index of a cost, or -1
    double low = 0.0;
    double factor = 1.0;
  };

  void group_encoding();
  void add_axis_sums();
  void add_label_counts();
  void add_costs(const space::TaskIo& io);
  void add_cost(const std::string& name, space::AdditiveCost cost);
  void add_figure(const std::string& name, Figure figure);
  [[nodiscard]] double value(const Figure& figure, const space::Arch& arch) const;

  space::SearchSpace space_;
  int num_encoded_ = 0;
  std::vector<int> column_groups_;
  std::vector<std::string> figure_names_;
  std::vector<Figure> figures_;
  std::vector<space::AdditiveCost> costs_;
  std::uint64_t layout_version_ = 0;
};

}  // namespace omnifit::predictors
