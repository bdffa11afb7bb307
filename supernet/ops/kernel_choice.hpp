#pragma once

namespace omnifit::supernet::ops {

/// Which implementation executes the operators.
enum class Kernels {
  kFused,  ///< own CPU float32 kernels where they apply, LibTorch's otherwise: training, evaluation
  kLibTorch  ///< LibTorch's operators only: the oracle, tracing, and timing LibTorch as a runtime
};

}  // namespace omnifit::supernet::ops
