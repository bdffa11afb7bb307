#include "predictors/arch_surrogate.hpp"

#include "core/rng.hpp"
#include "learn/metrics.hpp"
#include "space/sampling.hpp"
#include "space/tabular.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

namespace omnifit::predictors {
namespace {

space::SearchSpace shipped(const std::string& name) {
  return space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space" /
                                  (name + ".yaml"));
}

std::vector<space::Arch> drawn(const space::SearchSpace& space, std::size_t count,
                               std::uint64_t seed) {
  std::vector<space::Arch> archs;
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  while (archs.size() < count) {
    const space::Arch arch = space::sample(space, rng);
    if (std::ranges::find(archs, arch) == archs.end()) archs.push_back(arch);
  }
  return archs;
}

TEST_CASE("a surrogate learns a metric, and knows where it knows little", "[predictors][unit]") {
  for (const std::string name : {"tiny", "nasbench201"}) {
    CAPTURE(name);
    const space::SearchSpace space = shipped(name);
    const auto value = [](const space::Arch& arch) {
      double sum = 0.0;
      for (std::size_t g = 0; g < arch.choices().size(); ++g)
        sum += static_cast<double>(g + 1) * arch.choice(static_cast<int>(g));
      return 0.5 + 0.01 * sum;
    };
    const std::vector<space::Arch> archs = drawn(space, 60, 1);
    std::vector<double> values;
    for (const space::Arch& arch : archs) values.push_back(value(arch));
    ArchSurrogate surrogate(space, {3, 10});
    surrogate.fit(archs, values);
    const std::vector<space::Arch> others = drawn(space, 100, 2);
    const search::SurrogatePrediction prediction = surrogate.predict(others);
    REQUIRE(prediction.mean.size() == 100);
    REQUIRE(prediction.deviation.size() == 100);
    double squares = 0.0;
    for (std::size_t i = 0; i < others.size(); ++i)
      squares += std::pow(prediction.mean[i] - value(others[i]), 2);
    CHECK(std::sqrt(squares / 100.0) < 0.01);
    // Least where it was measured.
    const search::SurrogatePrediction known = surrogate.predict(archs);
    CHECK(std::ranges::max(known.deviation) < std::ranges::max(prediction.deviation));
    // Single = batch of one, and a fit leaves nothing behind for the next.
    const search::SurrogatePrediction single = surrogate.predict(std::span(others).first(1));
    CHECK(single.mean[0] == prediction.mean[0]);
    CHECK(single.deviation[0] == prediction.deviation[0]);
    surrogate.fit(std::span(archs).first(30), std::span(values).first(30));
    surrogate.fit(archs, values);
    CHECK(surrogate.predict(others).mean == prediction.mean);
  }
}

TEST_CASE("figures of the graph tell cells apart that were not measured", "[predictors][golden]") {
  OMNIFIT_REQUIRE_DATA("accuracy/nasbench201_cifar.csv");
  OMNIFIT_REQUIRE_DATA("latency/help/nasbench201_latency_ms.csv");
  const space::SearchSpace space = shipped("nasbench201");
  const auto data = space::TabularData::load(space, OMNIFIT_SHARED_DATA);
  const std::size_t column = data.column("cifar100_top1");
  const auto values_of = [&](const std::vector<space::Arch>& archs) {
    std::vector<double> values;
    for (const space::Arch& arch : archs) values.push_back((*data.find(arch))[column]);
    return values;
  };
  const std::vector<space::Arch> archs = drawn(space, 100, 1);
  ArchSurrogate surrogate(space, {});
  surrogate.fit(archs, values_of(archs));
  const std::vector<space::Arch> others = drawn(space, 500, 2);
  const std::vector<double> truth = values_of(others);
  const search::SurrogatePrediction prediction = surrogate.predict(others);
  // One-hot genes alone reach about 0.53.
  CHECK(learn::kendall_tau(prediction.mean, truth) > 0.65);
}

}  // namespace
}  // namespace omnifit::predictors
