#include "learn/metrics.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace omnifit::learn {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

void check_pairs(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) {
    throw std::invalid_argument(
        fmt::format("series of equal length expected, got {} and {}", a.size(), b.size()));
  }
  const auto is_nan = [](double value) { return std::isnan(value); };
  if (std::any_of(a.begin(), a.end(), is_nan) || std::any_of(b.begin(), b.end(), is_nan)) {
    throw std::invalid_argument("a series holds a value that is not a number");
  }
}

std::int64_t pairs_of(std::int64_t count) { return count * (count - 1) / 2; }

/// Sum over the runs of equal elements of an ordered sequence of the pairs inside each run.
template <class Equal>
std::int64_t tied_pairs(std::size_t size, const Equal& equal_to_previous) {
  std::int64_t pairs = 0;
  std::int64_t run = 1;
  for (std::size_t i = 1; i <= size; ++i) {
    if (i < size && equal_to_previous(i)) {
      ++run;
    } else {
      pairs += pairs_of(run);
      run = 1;
    }
  }
  return pairs;
}

/// Sorts `values` ascending; returns the number of strictly inverted pairs (merge sort, bottom up).
std::int64_t sort_counting_inversions(std::vector<double>& values) {
  std::vector<double> merged(values.size());
  std::int64_t inversions = 0;
  for (std::size_t width = 1; width < values.size(); width *= 2) {
    for (std::size_t start = 0; start < values.size(); start += 2 * width) {
      const std::size_t middle = std::min(start + width, values.size());
      const std::size_t end = std::min(start + 2 * width, values.size());
      std::size_t left = start;
      std::size_t right = middle;
      for (std::size_t out = start; out < end; ++out) {
        if (left < middle && (right == end || values[left] <= values[right])) {
          merged[out] = values[left++];
        } else {
          inversions += static_cast<std::int64_t>(middle - left);
          merged[out] = values[right++];
        }
      }
    }
    values.swap(merged);
  }
  return inversions;
}

/// 1-based ranks; ties share their mean.
std::vector<double> mean_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (std::size_t start = 0; start < order.size();) {
    std::size_t end = start + 1;
    while (end < order.size() && values[order[end]] == values[order[start]]) ++end;
    const double rank = (static_cast<double>(start) + static_cast<double>(end) + 1.0) / 2.0;
    for (std::size_t i = start; i < end; ++i) ranks[order[i]] = rank;
    start = end;
  }
  return ranks;
}

/// Mean that is exact for constant series, so that a constant is recognised as one.
double mean_of(std::span<const double> values) {
  double sum = 0.0;
  for (double value : values) sum += value - values[0];
  return values[0] + sum / static_cast<double>(values.size());
}

template <class Term>
double mean_over_pairs(std::span<const double> predicted, std::span<const double> measured,
                       const Term& term) {
  check_pairs(predicted, measured);
  if (predicted.empty()) return kUndefined;
  double sum = 0.0;
  for (std::size_t i = 0; i < predicted.size(); ++i) sum += term(predicted[i], measured[i]);
  return sum / static_cast<double>(predicted.size());
}

}  // namespace

double kendall_tau(std::span<const double> a, std::span<const double> b) {
  check_pairs(a, b);
  const std::size_t size = a.size();
  std::vector<std::size_t> order(size);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return a[i] != a[j] ? a[i] < a[j] : b[i] < b[j]; });
  const auto same_a = [&](std::size_t i) { return a[order[i]] == a[order[i - 1]]; };
  const auto same_both = [&](std::size_t i) { return same_a(i) && b[order[i]] == b[order[i - 1]]; };
  const std::int64_t ties_a = tied_pairs(size, same_a);
  const std::int64_t ties_both = tied_pairs(size, same_both);
  std::vector<double> by_a(size);
  for (std::size_t i = 0; i < size; ++i) by_a[i] = b[order[i]];
  const std::int64_t discordant = sort_counting_inversions(by_a);
  const std::int64_t ties_b =
      tied_pairs(size, [&](std::size_t i) { return by_a[i] == by_a[i - 1]; });
  const std::int64_t all = pairs_of(static_cast<std::int64_t>(size));
  if (all == ties_a || all == ties_b) return kUndefined;
  const auto difference = static_cast<double>(all - ties_a - ties_b + ties_both - 2 * discordant);
  return difference /
         std::sqrt(static_cast<double>(all - ties_a) * static_cast<double>(all - ties_b));
}

double spearman(std::span<const double> a, std::span<const double> b) {
  check_pairs(a, b);
  return pearson(mean_ranks(a), mean_ranks(b));
}

double pearson(std::span<const double> a, std::span<const double> b) {
  check_pairs(a, b);
  if (a.size() < 2) return kUndefined;
  const double mean_a = mean_of(a);
  const double mean_b = mean_of(b);
  double aa = 0.0;
  double bb = 0.0;
  double ab = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double da = a[i] - mean_a;
    const double db = b[i] - mean_b;
    aa += da * da;
    bb += db * db;
    ab += da * db;
  }
  if (aa == 0.0 || bb == 0.0) return kUndefined;
  return std::clamp(ab / (std::sqrt(aa) * std::sqrt(bb)), -1.0, 1.0);
}

double rmse(std::span<const double> predicted, std::span<const double> measured) {
  return std::sqrt(
      mean_over_pairs(predicted, measured, [](double p, double m) { return (p - m) * (p - m); }));
}

double mae(std::span<const double> predicted, std::span<const double> measured) {
  return mean_over_pairs(predicted, measured, [](double p, double m) { return std::abs(p - m); });
}

double mape(std::span<const double> predicted, std::span<const double> measured) {
  return mean_over_pairs(predicted, measured, [](double p, double m) {
    if (m == 0.0) throw std::invalid_argument("relative error of a measured value of 0");
    return std::abs(p - m) / std::abs(m);
  });
}

double share_within(std::span<const double> predicted, std::span<const double> measured,
                    double ratio) {
  return mean_over_pairs(predicted, measured, [ratio](double p, double m) {
    return std::abs(p - m) <= ratio * std::abs(m) ? 1.0 : 0.0;
  });
}

double r2(std::span<const double> predicted, std::span<const double> measured) {
  check_pairs(predicted, measured);
  if (measured.empty()) return kUndefined;
  const double mean = mean_of(measured);
  double residual = 0.0;
  double total = 0.0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    residual += (predicted[i] - measured[i]) * (predicted[i] - measured[i]);
    total += (measured[i] - mean) * (measured[i] - mean);
  }
  return total == 0.0 ? kUndefined : 1.0 - residual / total;
}

}  // namespace omnifit::learn
