#pragma once

#include "search/evaluator.hpp"
#include "search/problem.hpp"
#include "search/trace.hpp"

#include <cstddef>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

namespace omnifit::search {

/// Remembers every arch another evaluator has scored, so that searches under different bounds share
/// their evaluations. Thread-safe. The evaluator must outlive it.
class MemoEvaluator final : public Evaluator {
 public:
  explicit MemoEvaluator(Evaluator& evaluator) : evaluator_(evaluator) {}

  [[nodiscard]] const std::vector<Metric>& metrics() const override { return evaluator_.metrics(); }
  /// Asks the evaluator once for each arch it has not seen, in the order of the batch.
  [[nodiscard]] MetricTable evaluate(std::span<const space::Arch> archs) override;
  [[nodiscard]] std::vector<AdditiveMetric> additive_metrics() const override {
    return evaluator_.additive_metrics();
  }
  [[nodiscard]] int threads() const override { return evaluator_.threads(); }

  /// Archs in the order in which they were first asked for. Not thread-safe beside evaluate().
  [[nodiscard]] const std::vector<space::Arch>& archs() const { return archs_; }
  /// Metrics of archs()[i].
  [[nodiscard]] std::span<const double> values(std::size_t i) const {
    return {values_.data() + i * metrics().size(), metrics().size()};
  }

 private:
  Evaluator& evaluator_;
  std::mutex mutex_;
  std::unordered_map<space::Arch, std::size_t, space::ArchHash> position_;
  std::vector<space::Arch> archs_;
  std::vector<double> values_;
};

/// Lets a finished search profit from all others over the same memory: archs it did not evaluate
/// itself join its archive, in the memory's order, and its front and best arch are found anew. Its
/// generations stay as they are.
/// @throws ConfigError from Scorer. @pre the trace's metrics are the memory's
void adopt(SearchTrace& trace, const Problem& problem, const MemoEvaluator& memory);

}  // namespace omnifit::search
