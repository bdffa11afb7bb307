#pragma once

#include <Eigen/Core>

#include <string_view>

namespace omnifit::learn::detail {

/// @throws std::invalid_argument on a size mismatch, fewer than `min_samples` rows or a value that
/// is not finite.
void check_samples(std::string_view kind, const Eigen::MatrixXd& x, const Eigen::VectorXd& y,
                   int min_samples);

/// @throws StateError if not `fitted`; std::invalid_argument if the columns differ from `columns`
/// or a value is not finite.
void check_query(std::string_view kind, bool fitted, Eigen::Index columns,
                 const Eigen::MatrixXd& x);

/// Mean that is exact for constant values.
double mean(const Eigen::VectorXd& values);

}  // namespace omnifit::learn::detail
