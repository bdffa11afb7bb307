#pragma once

#include "exporters/onnx_proof.hpp"
#include "exporters/proof.hpp"
#include "formats/folded_network.hpp"
#include "formats/inference_graph.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::exporters {

/// Numbers of the network as other stages found them, written to its JSON card. Absent: not known.
struct ExportFigures {
  std::string budget;                          ///< as the job says it, e.g. "latency <= 40%"
  std::optional<double> predicted_top1;        ///< fraction
  std::optional<double> measured_top1;         ///< fraction, on the test split
  std::optional<double> estimated_latency_ms;  ///< batch 1
  std::optional<double> measured_latency_ms;   ///< batch 1
  std::string device;                          ///< the latencies are for
};

/// How pictures of any size were cut for the measured accuracies: the shorter side scaled to
/// `resize_px`, the centre of `centre_crop_px` cut out, and that scaled to the network's
/// resolution.
struct PictureCut {
  int resize_px = 0;
  int centre_crop_px = 0;
};

/// What users need to know to feed the network.
struct Preprocessing {
  formats::InputNormalisation normalisation;
  /// Whether the ONNX and TorchScript files normalise themselves and take pixels in [0, 1]. On by
  /// default: wrong normalisation is the most common mistake with a model file, it shows as mere
  /// low accuracy, and two element-wise operators on the input cost next to nothing. Turn it off
  /// where the images come normalised, or where a converter wants the convolution first. The
  /// safetensors file holds the network without it in either case.
  bool embed = true;
  std::optional<PictureCut> cut;  ///< absent: the images have one size and are scaled as they are
};

/// One network to take home.
struct BundleRequest {
  std::string name;              ///< of the files: letters, digits, '.', '_', '-'; no leading '.'
  std::filesystem::path folder;  ///< created
  std::string arch_text;         ///< one-line form
  std::string arch_json;         ///< reference form
  std::vector<std::string> class_names;  ///< one per class, or empty: not known
  Preprocessing preprocessing;
  ExportFigures figures;
};

struct ExportedFile {
  std::string format;  ///< "onnx", "torchscript", "safetensors", "json"
  std::filesystem::path path;
  std::uint64_t size_bytes = 0;
  std::string sha256;
  Proof proof;  ///< kNotApplicable for safetensors and json
};

/// Writes `<name>.onnx`, `<name>.pt`, `<name>.safetensors` (folded weights) and `<name>.json` (the
/// card: arch, units, input, classes, costs, figures, the other files with their hashes), each
/// atomically, and runs the first two against the supernet's own logits for `proof_case`, whose
/// images are as the network sees them (normalised).
/// @throws GoalError if a file was run and gave other logits, or a runtime refuses it (the file
/// stays for inspection); DataError if the network is not valid; std::invalid_argument for a bad
/// request; EnvironmentError if a file cannot be written.
std::vector<ExportedFile> export_bundle(const formats::FoldedNetwork& network,
                                        const ProofCase& proof_case, const BundleRequest& request,
                                        const OnnxProofOptions& onnx_proof = {});

}  // namespace omnifit::exporters
