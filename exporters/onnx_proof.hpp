#pragma once

#include "exporters/proof.hpp"

#include <filesystem>
#include <string>

namespace omnifit::exporters {

/// How ONNX Runtime is run.
struct OnnxProofOptions {
  std::string node = "node";     ///< Node.js: a name looked up in PATH, or a path
  std::filesystem::path script;  ///< the proof script; empty: default_proof_script()
  double timeout_s = 120.0;      ///< for the start of Node.js and the whole batch
};

/// The proof script beside its `node_modules` with onnxruntime-node: in the folder `onnxruntime`
/// next to the folder of this program, or else of the build tree the program comes from. It may not
/// exist.
std::filesystem::path default_proof_script();

/// Runs the model in ONNX Runtime (CPU, one thread, default graph optimisations), as a child
/// process, on `images` and compares with `expected_logits`.
///
/// kNotProven with a note that says what to do where Node.js or onnxruntime-node is missing, cannot
/// be loaded, gives no answer in time or answers with nonsense. kFailed where ONNX Runtime refuses
/// the model or its logits differ by more than kProofTolerance. Uses a temporary folder.
/// @throws Interrupted if a stop was asked for meanwhile; EnvironmentError if the temporary folder
/// cannot be used.
Proof prove_onnx(const std::filesystem::path& model, const formats::NamedTensor& images,
                 const formats::NamedTensor& expected_logits, const OnnxProofOptions& options = {});

}  // namespace omnifit::exporters
