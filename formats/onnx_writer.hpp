#pragma once

#include "formats/folded_network.hpp"
#include "formats/inference_graph.hpp"

#include <map>
#include <optional>
#include <string>

namespace omnifit::formats {

/// What an ONNX file holds beside the network itself.
struct OnnxOptions {
  std::string model_name = "omnifit";  ///< name of the graph; not empty
  std::string producer_version;        ///< of omnifit
  std::map<std::string, std::string>
      metadata;  ///< metadata_props: arch, resolution, class names … UTF-8

  /// If set, the first two nodes are (images - mean) / std, so that the file takes pixels in [0, 1]
  /// and cannot be fed wrongly normalised images. It cannot be folded into the first convolution
  /// exactly, because that pads with zeros after the normalisation.
  std::optional<InputNormalisation> normalisation;

  int batch_size = 0;  ///< 0: any, the dimension is called "N"
};

/// The network as a serialised ONNX model: opset 17, IR version 8, float32.
///
/// Input "images" [N, c, px, px], output "logits" [N, classes], or [N, c, px, px] of a part of a
/// network. Nodes and values carry the names of
/// InferenceGraph, and every value its inferred shape, so that viewers show a readable graph. The
/// model passed the ONNX checker and strict shape inference. Same arguments, same bytes.
/// @throws DataError if the network is not valid or metadata is not UTF-8; std::invalid_argument
/// for bad options; BugError if the checker refuses the model (units of the plan that do not fit
/// together).
std::string onnx_model(const FoldedNetwork& network, const OnnxOptions& options);

/// Text of a serialised model without its weights, one line per input, node and output; for tests
/// and logs.
/// @throws DataError if the bytes are no ONNX model.
std::string describe_onnx(const std::string& model);

}  // namespace omnifit::formats
