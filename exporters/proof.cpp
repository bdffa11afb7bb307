#include "exporters/proof.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace omnifit::exporters {

const char* proof_state_name(ProofState state) {
  switch (state) {
    case ProofState::kProven:
      return "proven";
    case ProofState::kNotProven:
      return "not_proven";
    case ProofState::kFailed:
      return "failed";
    case ProofState::kNotApplicable:
      return "not_applicable";
  }
  OMNIFIT_CHECK(false, "proof state {}", static_cast<int>(state));
}

double relative_difference(std::span<const float> actual, std::span<const float> expected) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (actual.size() != expected.size()) return kInfinite;
  double difference = 0.0;
  double largest = 0.0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double a = actual[i];
    const double e = expected[i];
    if (!std::isfinite(a) || !std::isfinite(e)) return kInfinite;
    difference = std::max(difference, std::abs(a - e));
    largest = std::max(largest, std::abs(e));
  }
  return largest > 0.0 ? difference / largest : difference;
}

Proof judge(double max_rel_difference, const std::string& runtime) {
  Proof proof;
  if (std::isfinite(max_rel_difference)) proof.max_rel_difference = max_rel_difference;
  if (max_rel_difference <= kProofTolerance) {
    proof.state = ProofState::kProven;
    proof.note = runtime;
  } else {
    proof.state = ProofState::kFailed;
    proof.note =
        std::isfinite(max_rel_difference)
            ? fmt::format("{}: logits differ by {:.2g} of the largest one, allowed: {:.0e}",
                          runtime, max_rel_difference, kProofTolerance)
            : fmt::format("{}: logits of another size, NaN or infinite", runtime);
  }
  return proof;
}

formats::NamedTensor to_pixels(const formats::NamedTensor& images,
                               const formats::InputNormalisation& normalisation) {
  const auto channels = normalisation.mean.size();
  OMNIFIT_CHECK(images.shape.size() == 4 &&
                    images.shape[1] == static_cast<std::int64_t>(channels) &&
                    normalisation.std.size() == channels,
                "images with {} dimensions for {} channels", images.shape.size(), channels);
  const auto plane = static_cast<std::size_t>(images.shape[2] * images.shape[3]);
  const auto values = images.floats();
  std::vector<float> pixels(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t channel = i / plane % channels;
    pixels[i] = static_cast<float>(static_cast<double>(values[i]) * normalisation.std[channel] +
                                   normalisation.mean[channel]);
  }
  return formats::NamedTensor::from_floats(images.name, images.shape, pixels);
}

}  // namespace omnifit::exporters
