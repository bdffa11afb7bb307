#pragma once

#include "space/plan.hpp"
#include "supernet/bn_stats.hpp"
#include "supernet/ops/feature.hpp"

#include <ATen/core/Tensor.h>

#include <variant>
#include <vector>

namespace omnifit::supernet {

/// Weights of a convolution and, where it has one, of its batch norm.
struct ConvWeights {
  at::Tensor weight;
  at::Tensor bias;         ///< undefined: none
  at::Tensor norm_weight;  ///< undefined: no batch norm (never had one, or folded)
  at::Tensor norm_bias;
  [[nodiscard]] bool normalised() const { return norm_weight.defined(); }
};

struct MbConvWeights {
  ConvWeights expand;  ///< weight undefined where the spec has no expand convolution
  ConvWeights depthwise;
  ops::SqueezeExciteWeights squeeze_excite;
  ConvWeights project;
};

struct BottleneckWeights {
  ConvWeights conv1;
  ConvWeights conv2;
  ConvWeights conv3;
  ConvWeights downsample;  ///< weight undefined where the shortcut is the identity
};

struct LinearWeights {
  at::Tensor weight;
  at::Tensor bias;
};

/// Weights of one unit, shaped exactly as its spec says; monostate for units without any.
using UnitWeights =
    std::variant<std::monostate, ConvWeights, MbConvWeights, LinearWeights, BottleneckWeights>;

/// How a network is executed.
struct ExecuteOptions {
  ops::Kernels kernels = ops::Kernels::kFused;
  double norm_eps = 1e-5;
  const BnStats* given = nullptr;  ///< statistics to normalise with; null: those of the batch
  BnStats* record = nullptr;       ///< batch statistics are appended here, detached
  at::Tensor dropout;  ///< [n, features] multiplied into the classifier's input; undefined: none
};

/// Runs the units of `plan` over `weights` (one per unit). The only code that executes networks:
/// training, calibration, evaluation and standalone networks differ in weights and options alone.
///
/// @param x [n, c, px, px]; px need not be the plan's resolution. @return the last unit's output:
/// logits
///   [n, classes] if that is a linear unit, otherwise [n, c, h, w]. Differentiable. Thread-safe.
at::Tensor execute(const space::NetworkPlan& plan, const std::vector<UnitWeights>& weights,
                   const at::Tensor& x, const ExecuteOptions& options);

/// Weights with batch norm folded in: scaled convolutions and biases, float32 values of their own.
std::vector<UnitWeights> fold(const std::vector<UnitWeights>& weights, const BnStats& stats,
                              double norm_eps);

/// Mean and biased variance of every batch norm over batches, weighted by their images: what a
/// subnet needs before it can be evaluated. Normalises with each batch's own statistics on the way,
/// as in training. No gradient.
BnStats calibrate(const space::NetworkPlan& plan, const std::vector<UnitWeights>& weights,
                  const std::vector<at::Tensor>& batches, double norm_eps,
                  ops::Kernels kernels = ops::Kernels::kFused);

}  // namespace omnifit::supernet
