#pragma once

#include <Eigen/Core>

#include <functional>

namespace omnifit::learn::detail {

/// Value at a point; writes the gradient if it is asked for. +infinity where undefined.
using Objective = std::function<double(const Eigen::VectorXd& point, Eigen::VectorXd* gradient)>;

struct Minimum {
  Eigen::VectorXd point;
  double value = 0.0;
};

/// Limited-memory BFGS with backtracking inside a box, until a step gains less than
/// `worthwhile_gain` or after `max_steps`. Deterministic. The start must lie in the box and have a
/// finite value. Source: Liu and Nocedal, "On the limited memory BFGS method", 1989.
Minimum minimise(const Objective& objective, const Eigen::VectorXd& start, double lower,
                 double upper, double worthwhile_gain, int max_steps);

}  // namespace omnifit::learn::detail
