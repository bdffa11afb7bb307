#include "supernet/ops/feature.hpp"

#include "core/error.hpp"
#include "supernet/ops/fused.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

namespace omnifit::supernet::ops {
namespace {

bool may_reuse(const at::Tensor& x) { return !(at::GradMode::is_enabled() && x.requires_grad()); }

at::Tensor per_channel(const at::Tensor& vector) { return vector.view({1, -1, 1, 1}); }

/// materialise() in one pass where a fused kernel can.
at::Tensor value_of(const Feature& x, Kernels kernels) {
  return x.plain() ? x.raw : add_shortcut(x, {}, kernels);
}

at::Tensor plain_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      const ConvGeometry& geometry) {
  const std::int64_t padding = geometry.kernel_size / 2;
  const std::int64_t groups = geometry.depthwise ? weight.size(0) : 1;
  return at::conv2d(x, weight, bias, {geometry.stride, geometry.stride}, {padding, padding}, {1, 1},
                    groups);
}

}  // namespace

at::Tensor activate(at::Tensor x, space::Act act) {
  const bool reuse = may_reuse(x);
  switch (act) {
    case space::Act::kNone:
      return x;
    case space::Act::kRelu:
      return reuse ? at::relu_(x) : at::relu(x);
    case space::Act::kRelu6:
      return reuse ? at::hardtanh_(x, 0, 6) : at::hardtanh(x, 0, 6);
    case space::Act::kHSwish:
      return reuse ? at::hardswish_(x) : at::hardswish(x);
  }
  OMNIFIT_CHECK(false, "unknown activation {}", static_cast<int>(act));
}

at::Tensor materialise(const Feature& x) {
  if (x.plain()) return x.raw;
  at::Tensor value = x.raw;
  if (x.scale.defined()) value = value * per_channel(x.scale);
  if (x.shift.defined()) value = value + per_channel(x.shift);
  if (value.is_same(x.raw)) value = value.clone();
  return activate(value, x.act);
}

ConvOutput conv(const Feature& x, const at::Tensor& weight, const ConvGeometry& geometry,
                bool with_statistics, Kernels kernels) {
  if (kernels == Kernels::kFused && fused::can_conv(x, weight, geometry)) {
    return fused::conv(x, weight, geometry, with_statistics);
  }
  ConvOutput out;
  out.raw = plain_conv(value_of(x, kernels), weight, {}, geometry);
  if (with_statistics) {
    std::tie(out.variance, out.mean) = at::var_mean(out.raw, at::IntArrayRef{0, 2, 3}, false);
  }
  return out;
}

Feature conv_bias_act(const Feature& x, const at::Tensor& weight, const at::Tensor& bias,
                      const ConvGeometry& geometry, space::Act act, Kernels kernels) {
  if (kernels == Kernels::kFused && fused::can_conv(x, weight, geometry)) {
    return {fused::conv(x, weight, geometry, false).raw, {}, bias, act};
  }
  return {activate(plain_conv(value_of(x, kernels), weight, bias, geometry), act), {}, {}};
}

Affine batch_norm_affine(const at::Tensor& mean, const at::Tensor& variance,
                         const at::Tensor& weight, const at::Tensor& bias, double eps,
                         Kernels kernels) {
  if (kernels == Kernels::kFused && fused::can_affine(mean, weight)) {
    return fused::batch_norm_affine(mean, variance, weight, bias, eps);
  }
  const at::Tensor scale = weight * at::rsqrt(variance + eps);
  return {scale, bias - mean * scale};
}

Feature squeeze_excite(const Feature& x, const SqueezeExciteWeights& weights, Kernels kernels) {
  if (kernels == Kernels::kFused && fused::can_squeeze_excite(x, weights)) {
    return {fused::squeeze_excite(x, weights), {}, {}};
  }
  const at::Tensor value = materialise(x);
  at::Tensor gate = value.mean({2, 3}, /*keepdim=*/true);
  gate = at::relu(at::conv2d(gate, weights.reduce_weight, weights.reduce_bias));
  gate = at::hardsigmoid(at::conv2d(gate, weights.expand_weight, weights.expand_bias));
  return {value * gate, {}, {}};
}

at::Tensor add_shortcut(const Feature& x, const at::Tensor& shortcut, Kernels kernels) {
  // LibTorch would stretch a shortcut of one channel or pixel, a fused kernel read beyond it.
  OMNIFIT_CHECK(!shortcut.defined() || shortcut.sizes() == x.raw.sizes(),
                "a shortcut of {} elements and {} channels is added to {} and {}", shortcut.numel(),
                shortcut.size(1), x.raw.numel(), x.raw.size(1));
  if (kernels == Kernels::kFused && fused::can_add_shortcut(x, shortcut)) {
    return fused::add_shortcut(x, shortcut);
  }
  const at::Tensor value = materialise(x);
  return shortcut.defined() ? value + shortcut : value;
}

at::Tensor max_pool(const Feature& x, int kernel_size, int stride, Kernels kernels) {
  const std::int64_t padding = kernel_size / 2;
  return at::max_pool2d(x.plain() ? x.raw : add_shortcut(x, {}, kernels),
                        {kernel_size, kernel_size}, {stride, stride}, {padding, padding});
}

at::Tensor average_pool(const Feature& x, int stride, Kernels kernels) {
  return at::avg_pool2d(value_of(x, kernels), {stride, stride}, {stride, stride}, {0, 0},
                        /*ceil_mode=*/true);
}

at::Tensor global_pool(const Feature& x, Kernels kernels) {
  if (kernels == Kernels::kFused && fused::can_pool(x)) return fused::global_pool(x);
  return materialise(x).mean({2, 3}, /*keepdim=*/true);
}

}  // namespace omnifit::supernet::ops
