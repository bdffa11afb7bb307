#pragma once

#include "space/additive_cost.hpp"
#include "space/arch.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace omnifit::search {

/// One number an evaluator gives for every arch.
struct Metric {
  std::string name;  ///< "top1", "latency_ms", "macs", "params", "peak_memory_bytes", "model_bytes"
  bool maximise = false;  ///< top-1 is maximised, costs are minimised
};

/// Values of a batch: row i holds the metrics of arch i, in the order of Evaluator::metrics().
class MetricTable {
 public:
  MetricTable(std::size_t rows, std::size_t columns) : columns_(columns), values_(rows * columns) {}
  [[nodiscard]] std::size_t rows() const { return columns_ == 0 ? 0 : values_.size() / columns_; }
  [[nodiscard]] std::span<double> row(std::size_t i) {
    return {values_.data() + i * columns_, columns_};
  }
  [[nodiscard]] std::span<const double> row(std::size_t i) const {
    return {values_.data() + i * columns_, columns_};
  }

 private:
  std::size_t columns_;
  std::vector<double> values_;
};

/// A metric that is a sum over genes: known for any arch at the price of a few additions, with
/// exact bounds over the whole space.
struct AdditiveMetric {
  std::size_t column = 0;                     ///< in Evaluator::metrics()
  const space::AdditiveCost* cost = nullptr;  ///< gives exactly what evaluate() gives
};

/// The seam between search and everything that scores archs. Batch only: single = batch of one.
/// Deterministic, and thread-safe for concurrent calls. NaN means "could not be evaluated": such an
/// arch is infeasible.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  [[nodiscard]] virtual const std::vector<Metric>& metrics() const = 0;
  [[nodiscard]] virtual MetricTable evaluate(std::span<const space::Arch> archs) = 0;
  /// Metrics that are sums over genes. Searches use them to leave out archs beyond a bound before
  /// anything is evaluated, and to find starting points by dynamic programming. The costs live as
  /// long as the evaluator.
  [[nodiscard]] virtual std::vector<AdditiveMetric> additive_metrics() const { return {}; }
  /// Threads that a search may use between two calls; its result never depends on them.
  [[nodiscard]] virtual int threads() const { return 1; }
};

}  // namespace omnifit::search
