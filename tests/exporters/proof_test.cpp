#include "exporters/proof.hpp"

#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>
#include <vector>

using Catch::Matchers::Equals;
using namespace omnifit;
using namespace omnifit::exporters;

namespace {
double difference(const std::vector<float>& actual, const std::vector<float>& expected) {
  return relative_difference(actual, expected);
}
}  // namespace

TEST_CASE("differences are relative to the largest expected value", "[exporters][unit]") {
  CHECK(difference({1, 2, -4}, {1, 2, -4}) == 0.0);
  CHECK(difference({1.5F, 2, -4}, {1, 2, -4}) == Approx(0.125));
  CHECK(difference({100, 0}, {1, 0}) == Approx(99.0));
  CHECK(difference({0.25F, 0}, {0, 0}) == Approx(0.25));
  CHECK(std::isinf(difference({1}, {1, 2})));
  CHECK(std::isinf(difference({NAN}, {1})));
  CHECK(std::isinf(difference({1}, {std::numeric_limits<float>::infinity()})));
}

TEST_CASE("a proof needs a difference within the tolerance", "[exporters][unit]") {
  const Proof proven = judge(9e-5, "runtime 1");
  CHECK(proven.state == ProofState::kProven);
  CHECK(proven.max_rel_difference == 9e-5);
  CHECK(proven.note == "runtime 1");

  const Proof failed = judge(1.2e-4, "runtime 1");
  CHECK(failed.state == ProofState::kFailed);
  CHECK_THAT(failed.note,
             Equals("runtime 1: logits differ by 0.00012 of the largest one, allowed: 1e-04"));

  const Proof nonsense = judge(std::numeric_limits<double>::infinity(), "runtime 1");
  CHECK(nonsense.state == ProofState::kFailed);
  CHECK_FALSE(nonsense.max_rel_difference.has_value());
  CHECK_THAT(nonsense.note, Equals("runtime 1: logits of another size, NaN or infinite"));
}

TEST_CASE("states have the names of the project file", "[exporters][unit]") {
  CHECK(std::string(proof_state_name(ProofState::kProven)) == "proven");
  CHECK(std::string(proof_state_name(ProofState::kNotProven)) == "not_proven");
  CHECK(std::string(proof_state_name(ProofState::kFailed)) == "failed");
  CHECK(std::string(proof_state_name(ProofState::kNotApplicable)) == "not_applicable");
}

TEST_CASE("normalised images become pixels again", "[exporters][unit]") {
  const auto images =
      formats::NamedTensor::from_floats("images", {2, 2, 1, 1}, std::vector<float>{-1, 1, 0, 2});
  const auto pixels = to_pixels(images, {{0.5F, 0.25F}, {0.5F, 0.25F}});
  CHECK(pixels.shape == images.shape);
  CHECK(pixels.floats()[0] == 0.0F);
  CHECK(pixels.floats()[1] == 0.5F);
  CHECK(pixels.floats()[2] == 0.5F);
  CHECK(pixels.floats()[3] == 0.75F);
}
