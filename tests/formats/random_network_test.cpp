#include "formats/random_network.hpp"

#include "tests/formats/random_network.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace omnifit;
using formats::FoldedNetwork;

namespace {

std::vector<float> values(const FoldedNetwork& network, std::size_t tensor) {
  const auto floats = network.tensors.at(tensor).floats();
  return {floats.begin(), floats.end()};
}

}  // namespace

TEST_CASE("a network for timing has finite weights that follow from its seed", "[formats][unit]") {
  const FoldedNetwork network = formats::random_network(test::small_plan(), 1);
  network.validate();
  const FoldedNetwork same = formats::random_network(test::small_plan(), 1);
  const FoldedNetwork other = formats::random_network(test::small_plan(), 2);
  for (std::size_t i = 0; i < network.tensors.size(); ++i) {
    CHECK(values(network, i) == values(same, i));
    CHECK(values(network, i) != values(other, i));
  }
}

TEST_CASE("weights for timing are scaled by fan-in and no two rows are alike",
          "[formats][property]") {
  constexpr int kIn = 1024;
  constexpr int kOut = 64;
  space::NetworkPlan plan;
  plan.io = {kIn, kOut};
  plan.resolution_px = 1;
  plan.units = {{0, space::LinearSpec{.in_features = kIn, .out_features = kOut}}};
  const std::vector<float> weights = values(formats::random_network(plan, 1), 0);
  REQUIRE(weights.size() == std::size_t{kIn} * kOut);
  const float bound = std::sqrt(3.0F / kIn);
  double sum_of_squares = 0.0;
  for (const float weight : weights) {
    REQUIRE(std::abs(weight) <= bound);
    sum_of_squares += static_cast<double>(weight) * weight;
  }
  CHECK(sum_of_squares / kOut == Approx(1.0).epsilon(0.05));
  for (int a = 0; a < kOut; ++a) {
    for (int b = 0; b < a; ++b) {
      const auto row = [&](int number) { return weights.begin() + std::ptrdiff_t{number} * kIn; };
      REQUIRE_FALSE(std::equal(row(a), row(a + 1), row(b)));
    }
  }
}
