#include "search/detail/matrix_game.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace omnifit::search::detail {
namespace {

constexpr double kZero = 1e-12;

/// Simplex tableau of: maximise the sum of y, where M y <= 1 and y >= 0. Columns of the tableau: y,
/// one slack per row, the right side. The last row holds the prices.
class Tableau {
 public:
  Tableau(std::span<const std::vector<double>> columns, double shift)
      : rows_(columns.front().size()),
        free_(columns.size()),
        width_(free_ + rows_ + 1),
        cells_((rows_ + 1) * width_) {
    for (std::size_t i = 0; i < rows_; ++i) {
      for (std::size_t j = 0; j < free_; ++j) at(i, j) = columns[j][i] + shift;
      at(i, free_ + i) = 1.0;
      at(i, width_ - 1) = 1.0;
      basis_.push_back(free_ + i);
    }
    for (std::size_t j = 0; j < free_; ++j) at(rows_, j) = -1.0;
  }

  void solve() {
    // Every basis comes at most once; far fewer are ever visited.
    constexpr int kMaxPivots = 10'000;
    for (int pivots = 0; pivots < kMaxPivots; ++pivots) {
      const std::size_t entering = first_with_negative_price();
      if (entering == width_ - 1) return;
      pivot(leaving_row(entering), entering);
    }
  }

  [[nodiscard]] double total() const { return at(rows_, width_ - 1); }
  /// The price of a row's slack is its dual value.
  [[nodiscard]] double dual(std::size_t row) const { return std::max(0.0, at(rows_, free_ + row)); }
  [[nodiscard]] std::vector<double> primal() const {
    std::vector<double> y(free_, 0.0);
    for (std::size_t i = 0; i < rows_; ++i) {
      if (basis_[i] < free_) y[basis_[i]] = std::max(0.0, at(i, width_ - 1));
    }
    return y;
  }

 private:
  [[nodiscard]] double& at(std::size_t row, std::size_t column) {
    return cells_[row * width_ + column];
  }
  [[nodiscard]] double at(std::size_t row, std::size_t column) const {
    return cells_[row * width_ + column];
  }

  [[nodiscard]] std::size_t first_with_negative_price() const {
    std::size_t column = 0;
    while (column < width_ - 1 && !(at(rows_, column) < -kZero)) ++column;
    return column;
  }

  [[nodiscard]] std::size_t leaving_row(std::size_t entering) const {
    std::size_t leaving = rows_;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < rows_; ++i) {
      if (!(at(i, entering) > kZero)) continue;
      const double ratio = at(i, width_ - 1) / at(i, entering);
      if (ratio < least || (ratio == least && basis_[i] < basis_[leaving])) {
        least = ratio;
        leaving = i;
      }
    }
    // All entries of M are at least 1, so nothing grows without end.
    OMNIFIT_CHECK(leaving < rows_, "the game has no bounded value");
    return leaving;
  }

  void pivot(std::size_t row, std::size_t column) {
    const double by = at(row, column);
    for (std::size_t j = 0; j < width_; ++j) at(row, j) /= by;
    for (std::size_t i = 0; i <= rows_; ++i) {
      const double times = at(i, column);
      if (i == row || times == 0.0) continue;
      for (std::size_t j = 0; j < width_; ++j) at(i, j) -= times * at(row, j);
    }
    basis_[row] = column;
  }

  std::size_t rows_;
  std::size_t free_;
  std::size_t width_;
  std::vector<double> cells_;
  std::vector<std::size_t> basis_;
};

void scale_to_one(std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  for (double& value : values) value /= sum;
}

}  // namespace

GameSolution solve_game(std::span<const std::vector<double>> columns) {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& column : columns) least = std::min(least, std::ranges::min(column));
  const double shift = 1.0 - least;  // a positive game has a positive value
  Tableau tableau(columns, shift);
  tableau.solve();
  GameSolution solution;
  solution.value = 1.0 / tableau.total() - shift;
  for (std::size_t i = 0; i < columns.front().size(); ++i) {
    solution.weights.push_back(tableau.dual(i));
  }
  solution.mix = tableau.primal();
  scale_to_one(solution.weights);
  scale_to_one(solution.mix);
  return solution;
}

}  // namespace omnifit::search::detail
