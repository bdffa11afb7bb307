#pragma once

#include "exporters/proof.hpp"
#include "formats/folded_network.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace omnifit::exporters {

struct TorchScriptOptions {
  std::optional<formats::InputNormalisation> normalisation;  ///< as in formats::OnnxOptions
  std::map<std::string, std::string> metadata;  ///< extra files of the archive, named by their keys
};

/// Writes the network as a frozen TorchScript module with `forward(images: Tensor) -> Tensor`:
/// images [n, c, px, px] float32 → logits [n, classes]. Python's `torch.jit.load` and LibTorch load
/// it.
///
/// The module is compiled from source that follows formats::InferenceGraph operator by operator, so
/// that `loaded.code` stays readable. Weights are constants. Same arguments, same bytes.
/// @throws DataError if the network is not valid; EnvironmentError if the file cannot be written.
void write_torchscript(const formats::FoldedNetwork& network, const std::filesystem::path& file,
                       const TorchScriptOptions& options = {});

/// Loads the file, as a user would, and runs it. @return relative_difference of its logits.
/// @throws DataError "PATH: …" if the file is no TorchScript module or fails on these images.
double prove_torchscript(const std::filesystem::path& file, const formats::NamedTensor& images,
                         const formats::NamedTensor& expected_logits);

}  // namespace omnifit::exporters
