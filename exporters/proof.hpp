#pragma once

#include "formats/inference_graph.hpp"
#include "supernet/evaluation.hpp"

#include <optional>
#include <span>
#include <string>

namespace omnifit::exporters {

/// Largest allowed difference between the logits of an exported file and the supernet's own,
/// relative to the largest |logit|. Runtimes sum in different orders and fuse operators: correct
/// exports differ by about 1e-6, a wrong operator, stride or weight by far more than this.
inline constexpr double kProofTolerance = 1e-4;

enum class ProofState {
  kProven,         ///< ran and agreed
  kNotProven,      ///< could not be run here; the note says why
  kFailed,         ///< ran and disagreed, or the runtime refuses the file
  kNotApplicable,  ///< nothing that could be run
};

/// "proven", "not_proven", "failed", "not_applicable".
const char* proof_state_name(ProofState state);

/// What running an exported file against the supernet's own output gave.
struct Proof {
  ProofState state = ProofState::kNotApplicable;
  std::optional<double> max_rel_difference;  ///< absent if it was not run or gave nonsense
  std::string note;                          ///< runtime and version, or why it is not proven
};

using ProofCase = supernet::SubnetEvaluator::ProofCase;

/// max |actual - expected| / max |expected| (the absolute difference if all expected values are 0).
/// Infinite if the sizes differ or a value is not finite.
double relative_difference(std::span<const float> actual, std::span<const float> expected);

/// kProven within kProofTolerance, kFailed otherwise. `runtime` becomes the note.
Proof judge(double max_rel_difference, const std::string& runtime);

/// Images as a file with embedded normalisation takes them: image * std + mean per channel.
/// @pre images is [n, c, px, px] with as many channels as the normalisation
formats::NamedTensor to_pixels(const formats::NamedTensor& images,
                               const formats::InputNormalisation& normalisation);

}  // namespace omnifit::exporters
