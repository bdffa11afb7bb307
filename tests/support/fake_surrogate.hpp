#pragma once

#include "search/surrogate.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace omnifit::test {

/// The mean, and for each gene how far archs with its choice lie from it on average. Equally
/// uncertain everywhere.
class FakeSurrogate final : public search::Surrogate {
 public:
  void fit(std::span<const space::Arch> archs, std::span<const double> values) override {
    const auto count = static_cast<double>(values.size());
    mean_ = std::accumulate(values.begin(), values.end(), 0.0) / count;
    const auto [low, high] = std::ranges::minmax(values);
    deviation_ = 0.05 * (high - low);
    effects_.clear();
    std::map<Choice, double> counts;
    for (std::size_t i = 0; i < archs.size(); ++i) {
      for (std::size_t g = 0; g < archs[i].choices().size(); ++g) {
        const Choice choice{g, archs[i].choices()[g]};
        effects_[choice] += values[i] - mean_;
        counts[choice] += 1.0;
      }
    }
    // One more sample without effect, so that a single one does not decide.
    for (auto& [choice, effect] : effects_) effect /= counts[choice] + 1.0;
  }

  [[nodiscard]] search::SurrogatePrediction predict(
      std::span<const space::Arch> archs) const override {
    search::SurrogatePrediction prediction;
    for (const space::Arch& arch : archs) {
      double mean = mean_;
      for (std::size_t g = 0; g < arch.choices().size(); ++g) {
        const auto effect = effects_.find({g, arch.choices()[g]});
        if (effect != effects_.end()) mean += effect->second;
      }
      prediction.mean.push_back(mean);
      prediction.deviation.push_back(deviation_);
    }
    return prediction;
  }

  static search::SurrogateFactory factory() {
    return [](const search::Metric&) { return std::make_unique<FakeSurrogate>(); };
  }

 private:
  using Choice = std::pair<std::size_t, int>;  // gene, choice

  double mean_ = 0.0;
  double deviation_ = 0.0;
  std::map<Choice, double> effects_;
};

}  // namespace omnifit::test
