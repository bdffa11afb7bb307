#pragma once

#include "core/rng.hpp"
#include "search/problem.hpp"
#include "space/arch.hpp"
#include "space/search_space.hpp"
#include "tests/support/fake_evaluator.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace omnifit::test {

inline space::SearchSpace load_space(const std::string& name) {
  return space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space" /
                                  (name + ".yaml"));
}

/// A space of a single arch.
inline space::SearchSpace one_point_space() {
  return space::SearchSpace::from_yaml(core::parse_yaml(R"(
name: point
version: 1
family: mbconv
resolutions: [16]
stem: {name: first_conv, width: 8, kernel_size: 3, stride: 2, act: relu}
stages:
  - {width: 8, stride: 1, act: relu, depth: [1], kernel_size: [3], expand_ratio: [1]}
head:
  - {name: feature_mix_layer, width: 16, kernel_size: 1, act: relu, batch_norm: false, after_pool: true}
)",
                                                        "point.yaml"));
}

/// Sums over the genes: each step up brings a gain and costs something, at rates of its own for
/// every gene. Deeper means that more genes can add. The ratio of gain to cost differs between
/// genes, so a budget makes a knapsack of it.
class Additive {
 public:
  explicit Additive(const space::SearchSpace& space, std::uint64_t seed = 1) {
    for (std::size_t i = 0; i < space.genes().size(); ++i) {
      core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest, {i});
      gain_.push_back(rng.uniform(0.2, 1.0));
      cost_.push_back(rng.uniform(0.2, 1.0));
    }
  }
  [[nodiscard]] double top1(const space::Arch& arch) const {
    return 0.5 + 0.005 * sum(gain_, arch);
  }
  [[nodiscard]] double latency_ms(const space::Arch& arch) const {
    return 1.0 + 0.1 * sum(cost_, arch);
  }

  [[nodiscard]] FakeEvaluator evaluator() const {
    return FakeEvaluator(
        {{{.name = "top1", .maximise = true}, [*this](const space::Arch& a) { return top1(a); }},
         {{.name = "latency_ms", .maximise = false},
          [*this](const space::Arch& a) { return latency_ms(a); }}});
  }

 private:
  static double sum(const std::vector<double>& rates, const space::Arch& arch) {
    double total = 0.0;
    for (std::size_t i = 0; i < rates.size(); ++i)
      total += rates[i] * arch.choice(static_cast<int>(i));
    return total;
  }

  std::vector<double> gain_;
  std::vector<double> cost_;
};

/// The best top-1 below `max_ms`.
inline search::Problem best_within(double max_ms) {
  return {.objectives = {{.metric = "top1", .maximise = {}}},
          .bounds = {{.metric = "latency_ms", .min = {}, .max = max_ms}}};
}

}  // namespace omnifit::test
