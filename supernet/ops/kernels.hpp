#pragma once

#include "space/plan.hpp"

#include <cstdint>
#include <vector>

/// Float32 CPU kernels over channels-last activations, behind ops/fused.hpp. Plain pointers, no
/// LibTorch.
///
/// All channel counts are multiples of 8 (but an im2col input's). Every kernel splits its work into
/// `parts` fixed parts and adds partial sums in part order: same number of parts, same bits.
namespace omnifit::supernet::ops::kernels {

/// Activations [rows, channels] whose per-channel map and activation are applied on reading.
struct Input {
  const float* raw = nullptr;
  const float* scale = nullptr;  ///< [channels]; null: read as they are
  const float* shift = nullptr;  ///< [channels]; null exactly if scale is
  space::Act act = space::Act::kNone;
  [[nodiscard]] bool plain() const { return scale == nullptr; }
};

/// Gradients of an Input. `scale` and `shift` are written only if it is not plain.
struct InputGradient {
  float* raw = nullptr;    ///< null: not needed
  float* scale = nullptr;  ///< [channels]
  float* shift = nullptr;
};

/// Mean and biased variance per channel; null members: not wanted.
struct Statistics {
  float* mean = nullptr;
  float* variance = nullptr;
};

/// Gradient of a convolution's output z: `direct` plus what flows through its statistics,
/// constant[c] + slope[c] * z. Null `constant`: nothing flows there. Null `direct`: zero.
struct OutputGradient {
  const float* direct = nullptr;
  const float* z = nullptr;
  const float* constant = nullptr;
  const float* slope = nullptr;
};

/// Rows of a 1×1 convolution, or of a k×k one over images (then `rows` counts output pixels and
/// in_channels the image's; the gradient of its input is not available).
struct DenseShape {
  std::int64_t rows = 0;
  int in_channels = 0;
  int out_channels = 0;
  int kernel_size = 1;
  int stride = 1;
  int in_height = 0;  ///< k > 1 only
  int in_width = 0;
};

/// z [rows, out] = x * weight; weight [out, in * k * k] in LibTorch's order, contiguous.
void dense_forward(const DenseShape& shape, const Input& x, const float* weight, float* z,
                   const Statistics& statistics, int parts);
/// Gradients of the input and the weight (null: not needed).
void dense_backward(const DenseShape& shape, const Input& x, const float* weight,
                    const OutputGradient& z_gradient, const InputGradient& x_gradient,
                    float* weight_gradient, int parts);

/// Images of a depthwise convolution; padding kernel_size / 2.
struct DepthwiseShape {
  std::int64_t images = 0;
  int channels = 0;
  int height = 0;
  int width = 0;
  int kernel_size = 3;  ///< 3, 5 or 7
  int stride = 1;       ///< 1 or 2
  [[nodiscard]] int out_height() const { return (height - 1) / stride + 1; }
  [[nodiscard]] int out_width() const { return (width - 1) / stride + 1; }
};

/// weight [channels, k * k], contiguous.
void depthwise_forward(const DepthwiseShape& shape, const Input& x, const float* weight, float* z,
                       const Statistics& statistics, int parts);
void depthwise_backward(const DepthwiseShape& shape, const Input& x, const float* weight,
                        const OutputGradient& z_gradient, const InputGradient& x_gradient,
                        float* weight_gradient, int parts);

/// Activations [images, pixels, channels].
struct ImageShape {
  std::int64_t images = 0;
  std::int64_t pixels = 0;
  int channels = 0;
};

/// y = x [+ shortcut]; `shortcut` may be null.
void add_forward(const ImageShape& shape, const Input& x, const float* shortcut, float* y,
                 int parts);
/// Gradient of x (that of the shortcut is y's).
void add_backward(const ImageShape& shape, const Input& x, const float* y_gradient,
                  const InputGradient& x_gradient, int parts);

/// pooled [images, channels] = mean over pixels of x.
void pool_forward(const ImageShape& shape, const Input& x, float* pooled, int parts);
void pool_backward(const ImageShape& shape, const Input& x, const float* pooled_gradient,
                   const InputGradient& x_gradient, int parts);

/// y = x * gate, gate [images, channels].
void gate_forward(const ImageShape& shape, const Input& x, const float* gate, float* y, int parts);
void gate_backward(const ImageShape& shape, const Input& x, const float* gate,
                   const float* y_gradient, const InputGradient& x_gradient, float* gate_gradient,
                   int parts);

}  // namespace omnifit::supernet::ops::kernels
