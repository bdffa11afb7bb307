#include "learn/detail/minimise.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>
#include <vector>

namespace omnifit::learn::detail {
namespace {

constexpr std::size_t kMemory = 10;
constexpr double kLongestStep = 2.0;  ///< of any coordinate, before backtracking

/// Differences of points and of gradients of the last steps, oldest first.
struct History {
  struct Pair {
    Eigen::VectorXd step;
    Eigen::VectorXd change;
    double product = 0.0;
  };
  std::deque<Pair> pairs;

  void add(Eigen::VectorXd step, Eigen::VectorXd change) {
    const double product = step.dot(change);
    if (!(product > 1e-10)) return;  // no positive curvature: it would spoil the direction
    pairs.push_back({std::move(step), std::move(change), product});
    if (pairs.size() > kMemory) pairs.pop_front();
  }

  /// The two-loop recursion: an approximate inverse Hessian times the gradient.
  [[nodiscard]] Eigen::VectorXd direction(const Eigen::VectorXd& gradient) const {
    Eigen::VectorXd result = gradient;
    if (pairs.empty()) return result / std::max(1.0, gradient.norm());
    std::vector<double> alphas(pairs.size());
    for (std::size_t i = pairs.size(); i-- > 0;) {
      alphas[i] = pairs[i].step.dot(result) / pairs[i].product;
      result -= alphas[i] * pairs[i].change;
    }
    result *= pairs.back().product / pairs.back().change.squaredNorm();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      result += (alphas[i] - pairs[i].change.dot(result) / pairs[i].product) * pairs[i].step;
    }
    return result;
  }
};

}  // namespace

Minimum minimise(const Objective& objective, const Eigen::VectorXd& start, double lower,
                 double upper, double worthwhile_gain, int max_steps) {
  constexpr int kMaxHalvings = 8;
  constexpr double kShrink = 0.3;
  constexpr double kSufficient = 1e-4;
  Minimum best{start, 0.0};
  Eigen::VectorXd gradient(start.size());
  best.value = objective(best.point, &gradient);
  History history;
  Eigen::VectorXd next_gradient(start.size());
  for (int step = 0; step < max_steps; ++step) {
    Eigen::VectorXd direction = history.direction(gradient);
    if (!(direction.dot(gradient) > 0.0)) {
      history.pairs.clear();
      direction = history.direction(gradient);
    }
    const double longest = direction.cwiseAbs().maxCoeff();
    if (!(longest > 0.0)) break;
    double scale = std::min(1.0, kLongestStep / longest);
    Eigen::VectorXd next;
    double value = 0.0;
    bool better = false;
    for (int i = 0; i < kMaxHalvings && !better; ++i, scale *= kShrink) {
      next = (best.point - scale * direction).cwiseMax(lower).cwiseMin(upper);
      value = objective(next, &next_gradient);
      better = value < best.value - kSufficient * gradient.dot(best.point - next);
    }
    if (!better) break;
    history.add(next - best.point, next_gradient - gradient);
    const double gain = best.value - value;
    best = {next, value};
    gradient = next_gradient;
    if (gain < worthwhile_gain) break;
  }
  return best;
}

}  // namespace omnifit::learn::detail
