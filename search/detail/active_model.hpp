#pragma once

#include "search/active.hpp"
#include "search/detail/archive.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace omnifit::search::detail {

/// What is expected of an arch that was not measured.
struct Expected {
  std::vector<double> mean;       ///< of the objectives, all to be minimised
  std::vector<double> deviation;  ///< same order; 0 for exact metrics
  double chance = 0.0;            ///< of keeping every bound; 0 if an exact metric is not finite
};

/// One surrogate per measured metric that the problem names, and the exact metrics beside them.
class ActiveModel {
 public:
  /// @pre the problem fits the metrics (Scorer). `exploration`: see ActiveConfig.
  ActiveModel(const ActiveSeams& seams, const Problem& problem, double exploration);

  /// Learns from the archive. @return false if some metric has fewer than two finite values, so
  /// that nothing can be expected.
  [[nodiscard]] bool fit(const Archive& archive);
  [[nodiscard]] std::vector<Expected> expect(std::span<const space::Arch> archs) const;

  /// Worst value of each objective among the evaluated archs, a hundredth of the range further.
  [[nodiscard]] static std::vector<double> reference(const Archive& archive);

 private:
  struct Quantity {
    std::size_t column = 0;
    double sign = 1.0;               ///< -1: maximised
    std::optional<double> min, max;  ///< of a bound
  };
  struct Column {
    std::vector<double> mean;
    std::vector<double> deviation;
  };

  [[nodiscard]] std::size_t num_measured() const { return seams_.measured.metrics().size(); }
  [[nodiscard]] std::vector<Column> columns(std::span<const space::Arch> archs) const;

  const ActiveSeams& seams_;
  double exploration_;
  std::vector<Quantity> objectives_;
  std::vector<Quantity> bounds_;
  std::vector<std::unique_ptr<Surrogate>> surrogates_;  ///< per measured metric; null if not named
};

}  // namespace omnifit::search::detail
