#include "learn/detail/checks.hpp"

#include "core/error.hpp"

#include <stdexcept>

namespace omnifit::learn::detail {

void check_samples(std::string_view kind, const Eigen::MatrixXd& x, const Eigen::VectorXd& y,
                   int min_samples) {
  if (x.rows() != y.size()) {
    throw std::invalid_argument(
        fmt::format("{}: {} rows of inputs but {} targets", kind, x.rows(), y.size()));
  }
  if (x.rows() < min_samples) {
    throw std::invalid_argument(
        fmt::format("{}: needs at least {} samples, got {}", kind, min_samples, x.rows()));
  }
  if (!x.allFinite() || !y.allFinite()) {
    throw std::invalid_argument(fmt::format("{}: an input or target is not a finite number", kind));
  }
}

void check_query(std::string_view kind, bool fitted, Eigen::Index columns,
                 const Eigen::MatrixXd& x) {
  if (!fitted) throw StateError(fmt::format("{}: predict before fit", kind));
  if (x.cols() != columns) {
    throw std::invalid_argument(
        fmt::format("{}: fitted on {} columns, asked about {}", kind, columns, x.cols()));
  }
  if (!x.allFinite()) {
    throw std::invalid_argument(fmt::format("{}: an input is not a finite number", kind));
  }
}

double mean(const Eigen::VectorXd& values) {
  const double first = values(0);
  return first + (values.array() - first).mean();
}

}  // namespace omnifit::learn::detail
