#pragma once

#include "core/rng.hpp"
#include "search/evaluator.hpp"
#include "space/additive_cost.hpp"
#include "space/additive_trade_off.hpp"
#include "space/search_space.hpp"

#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace omnifit::test {

/// "top1" and "latency_ms" as sums over genes, of which the search knows the second one. Larger
/// choices have more of both, each gene at rates of its own.
class AdditiveEvaluator final : public search::Evaluator {
 public:
  /// @param unknown_kernels whether the largest choice of the last gene has no latency
  explicit AdditiveEvaluator(const space::SearchSpace& space, std::uint64_t seed = 1,
                             bool unknown_kernels = false)
      : space_(space),
        top1_(terms(space, seed, 0.002, false)),
        latency_ms_(terms(space, seed + 1000, 0.1, unknown_kernels)) {}

  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }
  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override {
    search::MetricTable table(archs.size(), 2);
    for (std::size_t i = 0; i < archs.size(); ++i) {
      table.row(i)[0] = top1_(archs[i]);
      table.row(i)[1] = latency_ms_(archs[i]);
    }
    return table;
  }
  [[nodiscard]] std::vector<search::AdditiveMetric> additive_metrics() const override {
    return {{.column = 1, .cost = &latency_ms_}};
  }
  [[nodiscard]] int threads() const override { return threads_; }
  void set_threads(int threads) { threads_ = threads; }

  [[nodiscard]] double least_ms() const { return latency_ms_.minimum(space_).cost; }
  [[nodiscard]] double most_ms() const { return latency_ms_.maximum(space_).cost; }
  /// Best top-1 within a latency, by dynamic programming over fine cells.
  [[nodiscard]] double best_top1(double max_ms) const {
    return space::additive_trade_off(space_, latency_ms_, top1_,
                                     {.max_cost = max_ms, .cells = 20'000})
        .back()
        .value;
  }

 private:
  static space::AdditiveCost terms(const space::SearchSpace& space, std::uint64_t seed,
                                   double scale, bool unknown) {
    std::vector<space::AdditiveCost::Term> terms;
    for (std::size_t g = 0; g < space.genes().size(); ++g) {
      core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest, {g});
      const double rate = scale * rng.uniform(0.2, 1.0);
      auto& term = terms.emplace_back();
      term.genes = {static_cast<int>(g)};
      for (std::size_t c = 0; c < space.genes()[g].choices.size(); ++c) {
        term.values.push_back(rate * static_cast<double>(c));
      }
    }
    if (unknown) terms.back().values.back() = std::numeric_limits<double>::quiet_NaN();
    return space::AdditiveCost::from_terms(space, terms, 0.5);
  }

  const space::SearchSpace& space_;
  std::vector<search::Metric> metrics_{{.name = "top1", .maximise = true},
                                       {.name = "latency_ms", .maximise = false}};
  space::AdditiveCost top1_;
  space::AdditiveCost latency_ms_;
  int threads_ = 1;
};

}  // namespace omnifit::test
