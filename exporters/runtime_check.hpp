#pragma once

#include "exporters/onnx_proof.hpp"

namespace omnifit::exporters {

/// Whether exports can be proven on this machine: proves a network of two layers whose logits are
/// known by hand. The note names the runtime and its version, or says what is missing. @throws as
/// prove_onnx
Proof check_onnx_runtime(const OnnxProofOptions& options = {});

}  // namespace omnifit::exporters
