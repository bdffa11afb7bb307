#include "search/detail/expected_gain.hpp"

#include "search/hypervolume.hpp"
#include "search/pareto.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace omnifit::search::detail {
namespace {

/// Beyond this many deviations a normal's tail adds nothing that a double could show.
constexpr double kTail = 8.0;

double normal_density(double z) {
  return std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi);
}

double normal_distribution(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

}  // namespace

double expected_shortfall(double level, double mean, double deviation) {
  if (deviation <= 0.0) return std::max(0.0, level - mean);
  const double z = (level - mean) / deviation;
  if (z > kTail) return level - mean;
  if (z < -kTail) return 0.0;
  return std::max(0.0, deviation * (z * normal_distribution(z) + normal_density(z)));
}

double chance_below(double limit, double mean, double deviation) {
  if (deviation <= 0.0) return mean <= limit ? 1.0 : 0.0;
  return normal_distribution((limit - mean) / deviation);
}

ExpectedGain::ExpectedGain(const MetricTable& points, std::span<const double> reference)
    : reference_(reference.begin(), reference.end()) {
  for (const std::size_t i : non_dominated(points)) add(points.row(i));
}

void ExpectedGain::add(std::span<const double> point) {
  for (std::size_t c = 0; c < reference_.size(); ++c) {
    if (!(point[c] < reference_[c])) return;
  }
  const auto equal_or_dominated = [](std::span<const double> a, std::span<const double> b) {
    return std::ranges::equal(a, b) || dominates(b, a);
  };
  for (const auto& member : front_) {
    if (equal_or_dominated(point, member)) return;
  }
  std::erase_if(front_, [&](const auto& member) { return dominates(point, member); });
  std::vector<double> added(point.begin(), point.end());
  const auto by_last = [](const auto& a, const auto& b) { return a.back() < b.back(); };
  front_.insert(std::ranges::upper_bound(front_, added, by_last), added);
}

double ExpectedGain::gain(std::span<const double> mean, std::span<const double> deviation) const {
  if (reference_.size() == 1) {
    const double best = front_.empty() ? reference_[0] : front_.front()[0];
    return expected_shortfall(best, mean[0], deviation[0]);
  }
  return reference_.size() == 2 ? gain_2d(mean, deviation) : gain_of_mean(mean);
}

double ExpectedGain::gain_2d(std::span<const double> mean,
                             std::span<const double> deviation) const {
  // Between two members of the front, in the second coordinate, everything below the first
  // coordinate of the left one is new. The expected share of a strip times the expected height over
  // it, as the coordinates are independent.
  double sum = 0.0;
  double up_to_strip = 0.0;
  double level = reference_[0];
  for (std::size_t i = 0; i <= front_.size(); ++i) {
    const double end = i < front_.size() ? front_[i][1] : reference_[1];
    const double up_to_end = expected_shortfall(end, mean[1], deviation[1]);
    const double width = up_to_end - up_to_strip;
    if (width > 0.0) sum += width * expected_shortfall(level, mean[0], deviation[0]);
    up_to_strip = up_to_end;
    if (i < front_.size()) level = front_[i][0];
  }
  return sum;
}

double ExpectedGain::gain_of_mean(std::span<const double> mean) const {
  // What the point dominates, less what the front dominates of it.
  double box = 1.0;
  for (std::size_t c = 0; c < reference_.size(); ++c) {
    if (!(mean[c] < reference_[c])) return 0.0;
    box *= reference_[c] - mean[c];
  }
  MetricTable inside(front_.size(), reference_.size());
  for (std::size_t i = 0; i < front_.size(); ++i) {
    for (std::size_t c = 0; c < reference_.size(); ++c)
      inside.row(i)[c] = std::max(front_[i][c], mean[c]);
  }
  return std::max(0.0, box - hypervolume(inside, reference_));
}

}  // namespace omnifit::search::detail
