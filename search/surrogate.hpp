#pragma once

#include "search/evaluator.hpp"
#include "space/arch.hpp"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace omnifit::search {

/// Predicted mean and standard deviation (of the metric itself, without the noise of a single
/// measurement; 0 where the model has none), one per arch.
struct SurrogatePrediction {
  std::vector<double> mean;
  std::vector<double> deviation;
};

/// A model of one metric, learned from measured archs. Deterministic; a fit depends on its
/// arguments alone, not on fits before it.
class Surrogate {
 public:
  virtual ~Surrogate() = default;
  /// @pre equally many distinct archs and finite values, at least two. Not thread-safe.
  virtual void fit(std::span<const space::Arch> archs, std::span<const double> values) = 0;
  /// Thread-safe. Single = batch of one, bit for bit. @pre fit() was called
  [[nodiscard]] virtual SurrogatePrediction predict(std::span<const space::Arch> archs) const = 0;
};

/// Makes an unfitted model of a metric.
using SurrogateFactory = std::function<std::unique_ptr<Surrogate>(const Metric&)>;

}  // namespace omnifit::search
