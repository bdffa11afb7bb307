#include "predictors/features.hpp"

#include "core/rng.hpp"
#include "space/costs.hpp"
#include "space/encoding.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/predictors/ofa_table.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

namespace omnifit::predictors {
namespace {

const space::TaskIo kIo{3, 1000};

space::SearchSpace load(const std::string& name) {
  return space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space" /
                                  (name + ".yaml"));
}

Eigen::Index column_of(const ArchFeatures& features, const std::string& figure) {
  const auto& names = features.figure_names();
  const auto at = std::find(names.begin(), names.end(), figure);
  REQUIRE(at != names.end());
  return features.num_columns() - (names.end() - at);
}

/// Natural logarithm of 1 + MACs of the units of blocks first … last of the supernet, by lowering.
double log_macs_of_blocks(const space::SearchSpace& space, const space::Arch& arch, int first,
                          int last) {
  const auto slots = space::slots(space, kIo);
  double sum = 0.0;
  for (const space::PlanUnit& unit : space::lower(space, arch, kIo).units) {
    for (int block = first; block <= last; ++block) {
      const bool same =
          slots[static_cast<std::size_t>(unit.slot)].name == "blocks." + std::to_string(block);
      if (same) sum += static_cast<double>(space::macs(unit.spec));
    }
  }
  return std::log1p(sum);
}

}  // namespace

TEST_CASE("The features are the encoding and figures of the plan", "[predictors][unit]") {
  const auto space = test::ofa_space();
  const ArchFeatures features(space, kIo);
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest);
  std::vector<space::Arch> archs{space::smallest(space), space::largest(space)};
  for (int i = 0; i < 20; ++i) archs.push_back(space::sample(space, rng));
  const Eigen::MatrixXd x = features.encode(archs);
  REQUIRE(x.cols() == features.num_columns());

  const int encoded = space::num_columns(space, space::Encoding::kOneHot);
  std::vector<double> row(static_cast<std::size_t>(encoded));
  const auto log_macs = [&](const space::Arch& arch) {
    return std::log1p(static_cast<double>(space::macs(space::lower(space, arch, kIo))));
  };
  const auto scaled = [&](double value, double low, double high) {
    return Approx((value - low) / (high - low)).margin(1e-12);
  };
  for (std::size_t i = 0; i < archs.size(); ++i) {
    const auto r = static_cast<Eigen::Index>(i);
    space::encode(space, archs[i], space::Encoding::kOneHot, row);
    for (int j = 0; j < encoded; ++j) REQUIRE(x(r, j) == row[static_cast<std::size_t>(j)]);
    CHECK(x(r, column_of(features, "log macs")) ==
          scaled(log_macs(archs[i]), log_macs(archs[0]), log_macs(archs[1])));
    // Stage 3 of the space holds blocks 9 to 12; block 0 is the fixed one.
    CHECK(x(r, column_of(features, "log macs of stage 3")) ==
          scaled(log_macs_of_blocks(space, archs[i], 9, 12),
                 log_macs_of_blocks(space, archs[0], 9, 12),
                 log_macs_of_blocks(space, archs[1], 9, 12)));
    double depth = 0.0;
    for (int stage = 1; stage <= 5; ++stage) depth += space::depth(space, archs[i], stage);
    CHECK(x(r, column_of(features, "sum of depth")) == scaled(depth, 10.0, 20.0));
  }
  CHECK(x.minCoeff() >= 0.0);
  CHECK(x.maxCoeff() <= 1.0 + 1e-12);
}

TEST_CASE("One-hot columns of an axis share a group, figures stand alone", "[predictors][unit]") {
  const auto space = test::ofa_space();
  const ArchFeatures features(space, kIo);
  const std::vector<int>& groups = features.column_groups();
  REQUIRE(groups.size() == static_cast<std::size_t>(features.num_columns()));
  const auto encoded =
      static_cast<std::ptrdiff_t>(space::num_columns(space, space::Encoding::kOneHot));
  // Depth, kernel size and expand ratio are elastic.
  CHECK(std::set<int>(groups.begin(), groups.begin() + encoded).size() == 3);
  CHECK(std::set<int>(groups.begin(), groups.end()).size() == 3 + features.figure_names().size());
  // MACs and parameters of the whole and of five stages, sums of three axes.
  CHECK(features.figure_names().size() == 2 * 6 + 3);
}

TEST_CASE("Every shipped space has features", "[predictors][property]") {
  const std::string name =
      GENERATE("tiny", "mbv3_32px", "ofa_mbv3", "ofa_proxyless", "ofa_resnet50");
  CAPTURE(name);
  const auto space = load(name);
  const ArchFeatures features(space, kIo);
  core::Rng rng = core::Rng::stream(2, core::Purpose::kTest);
  std::vector<space::Arch> archs;
  for (int i = 0; i < 50; ++i) archs.push_back(space::sample(space, rng));
  const Eigen::MatrixXd x = features.encode(archs);
  CHECK(x.allFinite());
  CHECK(x.minCoeff() >= -0.5);
  CHECK(x.maxCoeff() <= 1.5);
  CHECK(std::set<std::string>(features.figure_names().begin(), features.figure_names().end())
            .size() == features.figure_names().size());
  const Eigen::MatrixXd alone = features.encode(std::span(archs).subspan(7, 1));
  CHECK(alone.row(0) == x.row(7));
  CHECK(features.encode({}).rows() == 0);
}

TEST_CASE("The layout version knows space and task", "[predictors][unit]") {
  const auto space = load("tiny");
  const std::uint64_t version = ArchFeatures(space, kIo).layout_version();
  CHECK(ArchFeatures(space, kIo).layout_version() == version);
  CHECK(ArchFeatures(space, {3, 10}).layout_version() != version);
  CHECK(ArchFeatures(space, {1, 1000}).layout_version() != version);
  CHECK(ArchFeatures(test::ofa_space(), kIo).layout_version() != version);
}

TEST_CASE("Archs of another space have no features", "[predictors][error]") {
  const ArchFeatures features(load("tiny"), kIo);
  const auto ofa = test::ofa_space();
  CHECK_THROWS_WITH(features.encode(std::vector{space::largest(ofa)}),
                    "arch 0 is of another space than 'tiny'");
}

}  // namespace omnifit::predictors
