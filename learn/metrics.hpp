#pragma once

#include <span>

namespace omnifit::learn {

/// Agreement of two series of numbers. All functions take series of equal length without NaN and
/// throw std::invalid_argument otherwise. A value that is not defined (fewer than two pairs, a
/// constant series) is NaN: "no order to agree with" is not the same as "agrees by chance".

/// Kendall's tau-b in [-1, 1]: concordant minus discordant pairs, corrected for ties. O(n log n).
/// Source: Knight, "A computer method for calculating Kendall's tau with ungrouped data", 1966.
double kendall_tau(std::span<const double> a, std::span<const double> b);

/// Spearman's rho: Pearson's r of the ranks, ties share their mean rank.
double spearman(std::span<const double> a, std::span<const double> b);

/// Pearson's r in [-1, 1].
double pearson(std::span<const double> a, std::span<const double> b);

/// Root of the mean squared difference, in the unit of the series. NaN if empty.
double rmse(std::span<const double> predicted, std::span<const double> measured);

/// Mean absolute difference. NaN if empty.
double mae(std::span<const double> predicted, std::span<const double> measured);

/// Mean of |predicted - measured| / |measured|, a fraction. NaN if empty.
/// @throws std::invalid_argument if a measured value is 0.
double mape(std::span<const double> predicted, std::span<const double> measured);

/// Share of the pairs with |predicted - measured| <= ratio * |measured|, a fraction. NaN if empty.
double share_within(std::span<const double> predicted, std::span<const double> measured,
                    double ratio);

/// Coefficient of determination: 1 is perfect, 0 is as good as the mean; may be negative.
double r2(std::span<const double> predicted, std::span<const double> measured);

}  // namespace omnifit::learn
