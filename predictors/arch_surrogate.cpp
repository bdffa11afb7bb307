#include "predictors/arch_surrogate.hpp"

#include <algorithm>

namespace omnifit::predictors {

ArchSurrogate::ArchSurrogate(const space::SearchSpace& space, const space::TaskIo& io)
    : features_(space, io) {
  if (space.cell_graph()) cells_.emplace(space);
  model_ = learn::GaussianProcessRegressor(column_groups());
}

std::vector<int> ArchSurrogate::column_groups() const {
  std::vector<int> groups = features_.column_groups();
  if (!cells_) return groups;
  // The genes, counts of the whole cell, and its live part: what decides is which of the three a
  // metric follows. A group for every single figure found no better fronts and took twice as long.
  const auto num_genes = groups.size() - features_.figure_names().size();
  const int counts =
      *std::max_element(groups.begin(), groups.begin() + static_cast<std::ptrdiff_t>(num_genes)) +
      1;
  std::fill(groups.begin() + static_cast<std::ptrdiff_t>(num_genes), groups.end(), counts);
  groups.resize(groups.size() + cells_->num_columns(), counts + 1);
  return groups;
}

Eigen::MatrixXd ArchSurrogate::encode(std::span<const space::Arch> archs) const {
  Eigen::MatrixXd matrix = features_.encode(archs);
  if (!cells_) return matrix;
  const Eigen::Index first = matrix.cols();
  const auto num_figures = static_cast<Eigen::Index>(cells_->num_columns());
  matrix.conservativeResize(Eigen::NoChange, first + num_figures);
  std::vector<double> row(cells_->num_columns());
  for (std::size_t i = 0; i < archs.size(); ++i) {
    cells_->encode(archs[i], row);
    matrix.row(static_cast<Eigen::Index>(i)).tail(num_figures) =
        Eigen::Map<const Eigen::RowVectorXd>(row.data(), num_figures);
  }
  return matrix;
}

void ArchSurrogate::fit(std::span<const space::Arch> archs, std::span<const double> values) {
  model_.fit(encode(archs), Eigen::Map<const Eigen::VectorXd>(
                                values.data(), static_cast<Eigen::Index>(values.size())));
}

search::SurrogatePrediction ArchSurrogate::predict(std::span<const space::Arch> archs) const {
  const learn::Prediction prediction = model_.predict(encode(archs));
  return {.mean = {prediction.mean.begin(), prediction.mean.end()},
          .deviation = {prediction.deviation.begin(), prediction.deviation.end()}};
}

}  // namespace omnifit::predictors
