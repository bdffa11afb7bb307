#pragma once

#include "formats/folded_network.hpp"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::formats {

/// How pixels in [0, 1] become the input a network was trained on: (pixel - mean) / std per
/// channel.
struct InputNormalisation {
  std::vector<float> mean;
  std::vector<float> std;  ///< > 0
  friend bool operator==(const InputNormalisation&, const InputNormalisation&) = default;
};

/// Primitive operators that every export format has.
enum class GraphOp {
  kSubtract,  ///< input - constant [1, c, 1, 1]
  kDivide,    ///< input / constant [1, c, 1, 1]
  kConv,      ///< parameters weight [, bias]
  kRelu,
  kRelu6,        ///< min(max(x, 0), 6)
  kHardSwish,    ///< x * relu6(x + 3) / 6
  kHardSigmoid,  ///< relu6(x + 3) / 6
  kGlobalPool,   ///< mean over the pixels, [n, c, 1, 1]
  kMultiply,     ///< of two values, the second one [n, c, 1, 1]
  kAdd,
  kFlatten,      ///< [n, c, 1, 1] → [n, c]
  kLinear,       ///< x · weightᵀ + bias
  kMaxPool,      ///< over windows of kernel_size; pads by kernel_size / 2
  kAveragePool,  ///< over windows of kernel_size, no padding; windows beyond the edge average the
                 ///< pixels they hold
};

/// A weight or constant of a node.
struct GraphParameter {
  std::string name;  ///< "block.3/expand.weight"
  const NamedTensor* tensor = nullptr;
};

struct GraphNode {
  GraphOp op = GraphOp::kConv;
  std::string name;                        ///< "block.3/expand"; unique
  std::vector<std::string> inputs;         ///< values
  std::string output;                      ///< value: the node's name; "logits" for the last node
  std::vector<GraphParameter> parameters;  ///< weight and bias, or the constant
  int kernel_size = 1;  ///< of a convolution or pool; a convolution pads by kernel_size / 2
  int stride = 1;
  int groups = 1;
};

/// A folded network as a list of primitive operators in execution order: the one place that knows
/// how a unit is put together, from which every export format is written.
///
/// Units are named for the eye: "stem", "block.0" …, "head.0" …, "pool", "classifier". Refers to
/// the tensors of the network it was made from, which must outlive it.
class InferenceGraph {
 public:
  static constexpr const char* kInput = "images";
  static constexpr const char* kOutput = "logits";

  /// @param normalisation if given, the first two nodes apply it, so that the graph takes pixels in
  /// [0, 1].
  /// @throws DataError if the network is not valid; std::invalid_argument if the normalisation has
  /// not one finite mean and positive deviation per channel, or the plan has no units.
  explicit InferenceGraph(const FoldedNetwork& network,
                          const std::optional<InputNormalisation>& normalisation = {});
  InferenceGraph(InferenceGraph&&) = default;
  InferenceGraph(const InferenceGraph&) = delete;
  InferenceGraph& operator=(const InferenceGraph&) = delete;
  InferenceGraph& operator=(InferenceGraph&&) = default;
  ~InferenceGraph() = default;

  [[nodiscard]] const std::vector<GraphNode>& nodes() const { return nodes_; }

 private:
  friend class InferenceGraphBuilder;

  std::vector<GraphNode> nodes_;
  std::deque<NamedTensor> constants_;  ///< a deque: nodes point at its elements
};

}  // namespace omnifit::formats
