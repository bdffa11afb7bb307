#include "pipeline/joint_limits.hpp"

#include "core/rng.hpp"
#include "space/costs.hpp"
#include "space/sampling.hpp"
#include "tests/support/catch.hpp"

#include <filesystem>
#include <optional>
#include <vector>

namespace omnifit::pipeline {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;

space::AdditiveCost sum_of_units(const space::SearchSpace& space, bool of_macs) {
  return space::AdditiveCost::compile(space, {1, 10}, [of_macs](const space::LayerSpec& spec) {
    return std::optional(
        static_cast<double>(of_macs ? space::macs(spec) : space::params_count(spec)));
  });
}

/// A space with two costs that are sums over its units.
struct TwoSums {
  space::SearchSpace space = space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) /
                                                      "configs/space/mbv3_32px.yaml");
  space::AdditiveCost macs = sum_of_units(space, true);
  space::AdditiveCost params = sum_of_units(space, false);

  [[nodiscard]] SumOf sum_of() const {
    return [this](const Quantity& quantity) -> const space::AdditiveCost* {
      if (quantity.cost == Cost::kMacs) return &macs;
      return quantity.cost == Cost::kParams ? &params : nullptr;
    };
  }
};

}  // namespace

TEST_CASE("limits that exclude each other are named with how near one can get",
          "[pipeline][error]") {
  const TwoSums sums;
  const auto& [space, macs, params] = sums;
  const SumOf sum_of = sums.sum_of();
  const double least_macs = macs.minimum(space).cost;
  const double most_params = params.maximum(space).cost;
  std::vector<Limit> limits{{{Cost::kPeakMemory, {}}, 1.0},
                            {{Cost::kMacs, {}}, 1.05 * least_macs},
                            {{Cost::kParams, {}}, 0.95 * most_params, true}};

  const std::string text = conflict_text(space, limits, sum_of);
  CHECK_THAT(text, Matches("no subnet of the space keeps macs <= .* and params >= .* at once "
                           "\\(proven\\); where the rest is kept, the nearest found is macs .*, or "
                           "params .*"));
  CHECK_THAT(text, ContainsSubstring(limits[1].text()) && ContainsSubstring(limits[2].text()));

  limits[1].value = macs.maximum(space).cost;
  CHECK(conflict_text(space, limits, sum_of).empty());
  limits.pop_back();
  CHECK(conflict_text(space, limits, sum_of).empty());
}

TEST_CASE("several tight limits have a network to start from", "[pipeline][unit]") {
  const TwoSums sums;
  const auto& [space, macs, params] = sums;
  const SumOf sum_of = sums.sum_of();
  // Nine tenths of the most weights, at about as few multiply-accumulates as that takes.
  std::vector<Limit> limits{{{Cost::kMacs, {}}, 0.0},
                            {{Cost::kParams, {}}, 0.9 * params.maximum(space).cost, true}};
  std::optional<space::Arch> witness;
  for (int percent = 1; !witness && percent <= 100; ++percent) {
    limits[0].value = 0.01 * percent * macs.maximum(space).cost;
    witness = joint_witness(space, limits, sum_of);
  }
  REQUIRE(witness.has_value());
  const auto keeps = [&](const space::Arch& arch) {
    return limits[0].kept_by(macs(arch)) && limits[1].kept_by(params(arch));
  };
  CHECK(keeps(*witness));
  CHECK(joint_witness(space, limits, sum_of) == witness);
  core::Rng rng = core::Rng::stream(3, core::Purpose::kTest);
  int drawn = 0;
  for (int i = 0; i < 5000; ++i) drawn += keeps(space::sample(space, rng)) ? 1 : 0;
  CHECK(drawn == 0);
  // One limit alone has its best arch; more than the space has no witness.
  CHECK_FALSE(joint_witness(space, {limits[0]}, sum_of).has_value());
  limits[0].value = macs.minimum(space).cost;
  CHECK_FALSE(joint_witness(space, limits, sum_of).has_value());
}

}  // namespace omnifit::pipeline
