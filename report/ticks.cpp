#include "report/ticks.hpp"

#include "core/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace omnifit::report {
namespace {

constexpr double kMargin = 0.05;  ///< of the data's range, on each side

/// A step is `mantissa * 10^exponent`; the next coarser one of 1, 2, 5, 10.
struct Step {
  int mantissa = 1;
  int exponent = 0;

  [[nodiscard]] double size() const { return mantissa * std::pow(10.0, exponent); }
  void coarsen() {
    if (mantissa == 1) {
      mantissa = 2;
    } else if (mantissa == 2) {
      mantissa = 5;
    } else {
      mantissa = 1;
      ++exponent;
    }
  }
};

/// Index range of the multiples of `step` inside the interval; a hair of tolerance keeps ends that
/// are multiples.
std::pair<double, double> multiples_inside(double low, double high, double step) {
  constexpr double kTolerance = 1e-9;
  return {std::ceil(low / step - kTolerance), std::floor(high / step + kTolerance)};
}

}  // namespace

Ticks nice_ticks(double low, double high, int max_count) {
  OMNIFIT_CHECK(std::isfinite(low) && std::isfinite(high) && low < high,
                "ticks need an interval, got [{}, {}]", low, high);
  Step step{1, static_cast<int>(std::floor(std::log10((high - low) / std::max(2, max_count)))) - 1};
  auto [first, last] = multiples_inside(low, high, step.size());
  while (last - first + 1 > std::max(2, max_count)) {
    step.coarsen();
    std::tie(first, last) = multiples_inside(low, high, step.size());
  }
  Ticks ticks;
  ticks.decimals = std::max(0, -step.exponent);
  for (double i = first; i <= last; ++i) {
    // "+ 0.0" turns -0 into 0.
    ticks.values.push_back(i * step.mantissa * std::pow(10.0, step.exponent) + 0.0);
  }
  return ticks;
}

std::string Ticks::text(double value) const {
  std::string number = fmt::format("{:.{}f}", value, decimals);
  const std::size_t begin = number[0] == '-' ? 1 : 0;
  const std::size_t point = std::min(number.find('.'), number.size());
  if (point - begin < 5) return number;  // 4-digit numbers read well without a gap
  for (std::size_t at = point; at > begin + 3; at -= 3) number.insert(at - 3, "\xE2\x80\xAF");
  return number;
}

Interval padded_interval(const std::vector<double>& values, bool from_zero) {
  double low = INFINITY;
  double high = -INFINITY;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (low > high) return {0.0, 1.0};
  if (from_zero) low = std::min(0.0, low);
  if (high - low <= 1e-9 * std::max(std::abs(low), std::abs(high))) {
    const double room = high == 0.0 ? 1.0 : std::abs(high) * kMargin;
    return {from_zero && low == 0.0 ? 0.0 : low - room, high + room};
  }
  const double margin = kMargin * (high - low);
  return {from_zero && low == 0.0 ? 0.0 : low - margin, high + margin};
}

}  // namespace omnifit::report
