#include "supernet/evaluation.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "space/sampling.hpp"
#include "supernet/label_scores.hpp"
#include "tests/supernet/network_support.hpp"

#include <algorithm>
#include <cmath>

using namespace omnifit;
using namespace omnifit::supernet;

namespace {

/// Subnets of both resolutions in no order.
std::vector<space::Arch> mixed_archs(const space::SearchSpace& space) {
  std::vector<space::Arch> archs{space::largest(space), space::smallest(space)};
  core::Rng rng = core::Rng::stream(4, core::Purpose::kTest);
  while (archs.size() < 10) archs.push_back(space::sample(space, rng));
  return archs;
}

/// What the images of one call take at a side.
std::int64_t bytes_at(std::int64_t px, const Dataset& data, const EvalOptions& options) {
  return (options.calibration_images + data.validation.count()) * data.channels * px * px * 4;
}

}  // namespace

TEST_CASE("images of one resolution at a time give the same accuracies", "[supernet][property]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const Dataset data = test::toy_dataset();
  Supernet network(space, {1, 4}, 7);
  test::disturb(network);
  const std::vector<space::Arch> archs = mixed_archs(space);
  EvalOptions options;
  options.calibration_images = 48;
  options.threads = 2;
  const SubnetEvaluator roomy(network, space, data);
  const auto expected = roomy.evaluate(archs, Split::kValidation, options);
  CHECK(roomy.held_image_bytes() == bytes_at(12, data, options) + bytes_at(16, data, options));

  EvalOptions narrow = options;
  narrow.max_image_bytes = bytes_at(16, data, options);
  const SubnetEvaluator evaluator(network, space, data);
  std::int64_t most_held = 0;
  std::vector<int> done(archs.size());
  const auto found = evaluator.evaluate(
      archs, Split::kValidation, narrow, [&](std::size_t i, const SubnetAccuracy& accuracy) {
        most_held = std::max(most_held, evaluator.held_image_bytes());
        CHECK(accuracy.loss == expected[i].loss);
        ++done[i];
      });
  CHECK(most_held == narrow.max_image_bytes);
  CHECK(done == std::vector<int>(archs.size(), 1));
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(found[i].loss == expected[i].loss);
    CHECK(found[i].top1 == expected[i].top1);
    CHECK(found[i].top5 == expected[i].top5);
    CHECK(found[i].num_images == 40);
  }

  SECTION("one resolution is held in any case, and no second one") {
    narrow.max_image_bytes = 1;
    CHECK(evaluator.evaluate(archs, Split::kValidation, narrow)[1].loss == expected[1].loss);
    CHECK(evaluator.held_image_bytes() == bytes_at(16, data, options));
    CHECK(roomy.evaluate(archs, Split::kValidation, narrow)[0].loss == expected[0].loss);
    CHECK(roomy.held_image_bytes() == bytes_at(16, data, options));
  }

  SECTION("extraction lets go of what it has no use for") {
    narrow.max_image_bytes = 1;
    evaluator.extract(space::smallest(space), narrow);
    CHECK(evaluator.held_image_bytes() == 48 * 12 * 12 * 4);
  }
}

TEST_CASE("labels are scored by their rank, and ties count against the network",
          "[supernet][unit]") {
  const float nan = std::nanf("");
  const at::Tensor logits = at::tensor({3.0F, 1.0F, 0.0F, -1.0F, -2.0F, -3.0F, -4.0F,  //
                                        1.0F, 1.0F, 0.0F, -1.0F, -2.0F, -3.0F, -4.0F,  //
                                        9.0F, 8.0F, 7.0F, 6.0F,  5.0F,  4.0F,  3.0F,   //
                                        0.0F, nan,  0.0F, 0.0F,  0.0F,  0.0F,  0.0F})
                                .view({4, 7});
  const LabelScores scores = score_labels(logits, at::tensor({0, 1, 5, 1}, at::kLong));
  CHECK(scores.num_images == 4);
  CHECK(scores.top1 == 1);
  CHECK(scores.top5 == 2);
  const LabelScores first = score_labels(logits.narrow(0, 0, 2), at::tensor({0, 1}, at::kLong));
  CHECK(first.top1_ratio() == 0.5);
  CHECK(first.top5_ratio(7) == 1.0);
  CHECK(first.top5_ratio(5) == 1.0);
  CHECK(first.mean_loss() > 0.0);
  LabelScores sum = first;
  sum += first;
  CHECK(sum.num_images == 4);
  CHECK(sum.mean_loss() == first.mean_loss());
  CHECK(LabelScores{}.top1_ratio() == 0.0);
}

TEST_CASE("the images of a split are found by its name", "[supernet][unit]") {
  const Dataset data = test::toy_dataset();
  CHECK(&split_of(data, Split::kTrain) == &data.train);
  CHECK(&split_of(data, Split::kValidation) == &data.validation);
  CHECK(&filled_split(data, Split::kTest) == &data.test);
  CHECK(std::string(split_name(Split::kValidation)) == "validation");
  CHECK_THROWS_MATCHES(filled_split(Dataset{}, Split::kTest), DataError,
                       Catch::Matchers::Message(": no test images"));
}
