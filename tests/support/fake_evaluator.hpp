#pragma once

#include "search/evaluator.hpp"
#include "space/arch.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace omnifit::test {

/// An evaluator made of one function per metric, which remembers what it was asked.
class FakeEvaluator final : public search::Evaluator {
 public:
  using Function = std::function<double(const space::Arch&)>;
  struct Column {
    search::Metric metric;
    Function value;
  };

  explicit FakeEvaluator(std::vector<Column> columns) : columns_(std::move(columns)) {
    for (const Column& column : columns_) metrics_.push_back(column.metric);
  }

  [[nodiscard]] const std::vector<search::Metric>& metrics() const override { return metrics_; }

  [[nodiscard]] search::MetricTable evaluate(std::span<const space::Arch> archs) override {
    search::MetricTable table(archs.size(), columns_.size());
    largest_batch_ = std::max(largest_batch_, archs.size());
    for (std::size_t i = 0; i < archs.size(); ++i) {
      ++times_asked_[archs[i]];
      ++num_asked_;
      for (std::size_t c = 0; c < columns_.size(); ++c)
        table.row(i)[c] = columns_[c].value(archs[i]);
    }
    return table;
  }

  [[nodiscard]] std::size_t num_asked() const { return num_asked_; }
  [[nodiscard]] std::size_t largest_batch() const { return largest_batch_; }
  /// How often the most asked arch was asked.
  [[nodiscard]] int most_repeated() const {
    int most = 0;
    for (const auto& [arch, times] : times_asked_) most = std::max(most, times);
    return most;
  }

 private:
  std::vector<Column> columns_;
  std::vector<search::Metric> metrics_;
  std::unordered_map<space::Arch, int, space::ArchHash> times_asked_;
  std::size_t num_asked_ = 0;
  std::size_t largest_batch_ = 0;
};

}  // namespace omnifit::test
