#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace omnifit::space {

/// Activation functions of the family. h_swish(x) = x * relu6(x + 3) / 6.
enum class Act { kNone, kRelu, kRelu6, kHSwish };

/// "none", "relu", "relu6", "h_swish". @throws std::invalid_argument for an unknown name.
const std::string& act_name(Act act);
Act parse_act(const std::string& name);

/// What the task fixes and the space does not: image channels in, classes out.
struct TaskIo {
  int in_channels = 3;
  int num_classes = 1000;
  friend bool operator==(const TaskIo&, const TaskIo&) = default;
};

/// Convolution (+ batch norm) (+ activation) (+ input); padding kernel_size / 2. Stems and head
/// parts. `in_px` is the side of the square input; 1 after the global pool.
struct ConvSpec {
  int in_channels = 0;
  int out_channels = 0;
  int kernel_size = 1;
  int stride = 1;
  int in_px = 0;
  Act act = Act::kNone;
  bool batch_norm = true;
  bool bias = false;
  bool shortcut = false;  ///< the input is added after the activation: stride 1 and equal widths
  friend auto operator<=>(const ConvSpec&, const ConvSpec&) = default;
};

/// A whole inverted-residual block: [1×1 expand conv, BN, act] → depthwise k×k (stride), BN, act →
/// [squeeze-excite] → 1×1 project conv, BN → [+ input]. One profiled unit, so fusion inside it is
/// measured.
struct MbConvSpec {
  int in_channels = 0;
  int mid_channels = 0;
  int out_channels = 0;
  int kernel_size = 3;
  int stride = 1;
  int in_px = 0;
  Act act = Act::kRelu;
  int se_channels = 0;  ///< width of the squeeze-excite bottleneck; 0 = no squeeze-excite
  bool expand = true;   ///< the 1×1 expand conv exists; false only where mid == in by construction
  bool shortcut =
      false;  ///< identity shortcut: stride 1 and equal widths (and the space wants one)
  friend auto operator<=>(const MbConvSpec&, const MbConvSpec&) = default;
};

/// How a bottleneck block passes its input on.
enum class Downsample {
  kNone,         ///< identity: stride 1 and equal widths
  kAvgPoolConv,  ///< average pool of side and step `stride` (none at stride 1), 1×1 conv, BN
  kConv          ///< 1×1 conv of that stride, BN
};

/// "none", "avgpool_conv", "conv".
const std::string& downsample_name(Downsample downsample);

/// A whole residual bottleneck block: 1×1 conv, BN, act → k×k conv (stride), BN, act → 1×1 conv, BN
/// → + shortcut → act. One profiled unit.
struct BottleneckSpec {
  int in_channels = 0;
  int mid_channels = 0;
  int out_channels = 0;
  int kernel_size = 3;
  int stride = 1;
  int in_px = 0;
  Act act = Act::kRelu;
  Downsample downsample = Downsample::kNone;
  friend auto operator<=>(const BottleneckSpec&, const BottleneckSpec&) = default;
};

/// Maximum over windows of side kernel_size; padding kernel_size / 2.
struct MaxPoolSpec {
  int channels = 0;
  int kernel_size = 3;
  int stride = 2;
  int in_px = 0;
  friend auto operator<=>(const MaxPoolSpec&, const MaxPoolSpec&) = default;
};

/// Global average pool to 1×1.
struct PoolSpec {
  int channels = 0;
  int in_px = 0;
  friend auto operator<=>(const PoolSpec&, const PoolSpec&) = default;
};

/// Linear classifier with bias.
struct LinearSpec {
  int in_features = 0;
  int out_features = 0;
  friend auto operator<=>(const LinearSpec&, const LinearSpec&) = default;
};

/// One profiled unit. Closed: a new family adds its kinds here and a missing case does not compile.
using LayerSpec =
    std::variant<ConvSpec, MbConvSpec, PoolSpec, LinearSpec, BottleneckSpec, MaxPoolSpec>;

/// Visitor from lambdas, for the closed variants of this code base.
template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

/// "conv", "mbconv", "pool", "linear", "bottleneck", "maxpool".
const char* spec_kind(const LayerSpec& spec);
/// Canonical text from the fields, e.g. "mbconv in=24 mid=72 out=24 k=3 s=1 px=16 act=relu se=0
/// expand=1 skip=1". The "skip" of a conv stands there only where it has one. Code compares specs,
/// never this text; it is what people and foreign tables see.
std::string spec_text(const LayerSpec& spec);
/// Inverse of spec_text. @throws DataError naming the bad field.
LayerSpec parse_spec(const std::string& text);
/// Stable across platforms and versions; changes only when a field is added.
std::uint64_t spec_hash(const LayerSpec& spec);
/// Input [channels, px, px] and output of a unit; px is 1 for linear.
struct FeatureShape {
  int channels = 0;
  int px = 0;
  friend bool operator==(const FeatureShape&, const FeatureShape&) = default;
};
FeatureShape input_shape(const LayerSpec& spec);
FeatureShape output_shape(const LayerSpec& spec);

/// A unit of a plan and the slot of the supernet it runs in (index into `slots(space, io)`).
struct PlanUnit {
  int slot = 0;
  LayerSpec spec;
  friend bool operator==(const PlanUnit&, const PlanUnit&) = default;
};

/// An arch lowered to concrete layers with shapes: everything downstream consumes this and nothing
/// else.
struct NetworkPlan {
  TaskIo io;
  int resolution_px = 0;
  std::vector<PlanUnit> units;  ///< in execution order
  friend bool operator==(const NetworkPlan&, const NetworkPlan&) = default;
};

/// Primitive operators of a unit, for costs, memory, ONNX and quantisation.
struct Op {
  enum class Kind {
    kConv,
    kDepthwiseConv,
    kLinear,
    kGlobalPool,
    kSqueezeExcite,
    kAdd,
    kMaxPool,
    kAveragePool  ///< windows beyond the edge average the pixels they hold
  };
  Kind kind = Kind::kConv;
  FeatureShape in;
  FeatureShape out;
  int kernel_size = 1;
  int stride = 1;
  Act act = Act::kNone;
  bool batch_norm = false;
  bool bias = false;    ///< without counting the one a folded batch norm adds
  int se_channels = 0;  ///< for kSqueezeExcite
  bool beside = false;  ///< runs on the unit's input beside the main path (downsampling)
  friend bool operator==(const Op&, const Op&) = default;
};
std::vector<Op> ops(const LayerSpec& spec);

}  // namespace omnifit::space
