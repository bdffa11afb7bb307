#include "supernet/ops/fused.hpp"

#include "core/error.hpp"
#include "supernet/ops/kernels.hpp"
#include "supernet/ops/worker_pool.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <optional>

namespace omnifit::supernet::ops::fused {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool is_plain_float(const at::Tensor& tensor) {
  return tensor.is_cpu() && tensor.scalar_type() == at::kFloat;
}

bool is_activations(const at::Tensor& x) {
  return is_plain_float(x) && x.dim() == 4 && x.numel() > 0;
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor empty_activations(at::IntArrayRef sizes) {
  return at::empty(sizes, at::kFloat, at::MemoryFormat::ChannelsLast);
}

const float* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<float>() : nullptr;
}
float* mutable_data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<float>() : nullptr;
}

/// A tensor argument of an autograd function that may be absent (these functions take no undefined
/// tensors).
using MaybeTensor = c10::optional<at::Tensor>;

MaybeTensor maybe(const at::Tensor& tensor) {
  return tensor.defined() ? MaybeTensor(tensor) : MaybeTensor();
}
at::Tensor value_of(const MaybeTensor& tensor) { return tensor ? *tensor : at::Tensor(); }

/// A feature as the autograd functions take it: scale and shift are both there or both absent.
struct LazyTensors {
  at::Tensor raw;
  MaybeTensor scale;
  MaybeTensor shift;
};

LazyTensors lazy_tensors(const Feature& x) {
  for (const at::Tensor& vector : {x.scale, x.shift}) {
    OMNIFIT_CHECK(!vector.defined() || vector.numel() == x.raw.size(1),
                  "{} factors or shifts of {} channels", vector.numel(), x.raw.size(1));
  }
  const at::Tensor raw = channels_last(x.raw);
  if (x.plain()) return {raw, {}, {}};
  return {raw, x.scale.defined() ? x.scale.contiguous() : at::ones({raw.size(1)}, at::kFloat),
          x.shift.defined() ? x.shift.contiguous() : at::zeros({raw.size(1)}, at::kFloat)};
}

kernels::Input kernel_input(const at::Tensor& raw, const at::Tensor& scale, const at::Tensor& shift,
                            std::int64_t act) {
  return {raw.data_ptr<float>(), data_or_null(scale), data_or_null(shift),
          static_cast<space::Act>(act)};
}

/// Gradients of a feature, allocated as far as its tensors are defined.
struct LazyGradient {
  at::Tensor raw;
  at::Tensor scale;
  at::Tensor shift;

  LazyGradient(const at::Tensor& raw_value, const at::Tensor& scale_value)
      : raw(empty_activations(raw_value.sizes())) {
    if (!scale_value.defined()) return;
    scale = at::empty_like(scale_value);
    shift = at::empty_like(scale_value);
  }
  [[nodiscard]] kernels::InputGradient pointers() const {
    return {mutable_data_or_null(raw), mutable_data_or_null(scale), mutable_data_or_null(shift)};
  }
};

kernels::ImageShape image_shape(const at::Tensor& x) {
  return {x.size(0), x.size(2) * x.size(3), static_cast<int>(x.size(1))};
}

kernels::DenseShape dense_shape(const at::Tensor& raw, const at::Tensor& weight,
                                std::int64_t kernel_size, std::int64_t stride) {
  kernels::DenseShape shape;
  shape.in_channels = static_cast<int>(raw.size(1));
  shape.out_channels = static_cast<int>(weight.size(0));
  shape.kernel_size = static_cast<int>(kernel_size);
  shape.stride = static_cast<int>(stride);
  shape.in_height = static_cast<int>(raw.size(2));
  shape.in_width = static_cast<int>(raw.size(3));
  shape.rows = raw.size(0) * ((raw.size(2) - 1) / stride + 1) * ((raw.size(3) - 1) / stride + 1);
  return shape;
}

kernels::DepthwiseShape depthwise_shape(const at::Tensor& raw, std::int64_t kernel_size,
                                        std::int64_t stride) {
  return {raw.size(0),
          static_cast<int>(raw.size(1)),
          static_cast<int>(raw.size(2)),
          static_cast<int>(raw.size(3)),
          static_cast<int>(kernel_size),
          static_cast<int>(stride)};
}

/// Convolution of a lazy input. Outputs z, or z with its mean and biased variance: the statistics
/// are outputs of their own, so batch norm's gradient arrives here as theirs and costs no pass over
/// memory.
class ConvFunction : public torch::autograd::Function<ConvFunction> {
 public:
  static variable_list forward(AutogradContext* ctx, const at::Tensor& raw,
                               const MaybeTensor& maybe_scale, const MaybeTensor& maybe_shift,
                               const at::Tensor& weight, std::int64_t act, std::int64_t kernel_size,
                               std::int64_t stride, bool depthwise, bool with_statistics) {
    const at::Tensor scale = value_of(maybe_scale);
    const at::Tensor shift = value_of(maybe_shift);
    const kernels::Input x = kernel_input(raw, scale, shift, act);
    const std::int64_t channels = weight.size(0);
    const at::Tensor z = empty_activations(
        {raw.size(0), channels, (raw.size(2) - 1) / stride + 1, (raw.size(3) - 1) / stride + 1});
    at::Tensor mean;
    at::Tensor variance;
    if (with_statistics) {
      mean = at::empty({channels}, at::kFloat);
      variance = at::empty({channels}, at::kFloat);
    }
    const kernels::Statistics statistics{mutable_data_or_null(mean),
                                         mutable_data_or_null(variance)};
    if (depthwise) {
      kernels::depthwise_forward(depthwise_shape(raw, kernel_size, stride), x,
                                 weight.data_ptr<float>(), z.data_ptr<float>(), statistics,
                                 kernel_parts());
    } else {
      kernels::dense_forward(dense_shape(raw, weight, kernel_size, stride), x,
                             weight.data_ptr<float>(), z.data_ptr<float>(), statistics,
                             kernel_parts());
    }
    ctx->saved_data["act"] = act;
    ctx->saved_data["kernel_size"] = kernel_size;
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["depthwise"] = depthwise;
    ctx->set_materialize_grads(false);
    if (!with_statistics) {
      ctx->save_for_backward({raw, scale, shift, weight});
      return {z};
    }
    ctx->save_for_backward({raw, scale, shift, weight, z, mean});
    return {z, mean, variance};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& raw = saved[0];
    const at::Tensor& weight = saved[3];
    const std::int64_t kernel_size = ctx->saved_data["kernel_size"].toInt();
    const std::int64_t stride = ctx->saved_data["stride"].toInt();
    const kernels::Input x = kernel_input(raw, saved[1], saved[2], ctx->saved_data["act"].toInt());

    kernels::OutputGradient z_gradient;
    at::Tensor direct;
    if (gradients[0].defined()) {
      direct = channels_last(gradients[0]);
      z_gradient.direct = direct.data_ptr<float>();
    }
    at::Tensor constant;
    at::Tensor slope;
    if (gradients.size() == 3 && (gradients[1].defined() || gradients[2].defined())) {
      std::tie(constant, slope) = through_statistics(saved[4], saved[5], gradients);
      z_gradient.z = saved[4].data_ptr<float>();
      z_gradient.constant = constant.data_ptr<float>();
      z_gradient.slope = slope.data_ptr<float>();
    }
    std::optional<LazyGradient> x_gradient;
    const bool needs_input = ctx->needs_input_grad(0) || saved[1].defined();
    if (needs_input) x_gradient.emplace(raw, saved[1]);
    const kernels::InputGradient pointers =
        x_gradient ? x_gradient->pointers() : kernels::InputGradient{};
    at::Tensor weight_gradient = at::empty_like(weight);
    if (ctx->saved_data["depthwise"].toBool()) {
      kernels::depthwise_backward(depthwise_shape(raw, kernel_size, stride), x,
                                  weight.data_ptr<float>(), z_gradient, pointers,
                                  weight_gradient.data_ptr<float>(), kernel_parts());
    } else {
      kernels::dense_backward(dense_shape(raw, weight, kernel_size, stride), x,
                              weight.data_ptr<float>(), z_gradient, pointers,
                              weight_gradient.data_ptr<float>(), kernel_parts());
    }
    variable_list result(9);
    if (x_gradient) {
      result[0] = x_gradient->raw;
      result[1] = x_gradient->scale;
      result[2] = x_gradient->shift;
    }
    result[3] = weight_gradient;
    return result;
  }

 private:
  /// d mean / dz = 1 / count and d variance / dz = 2 (z - mean) / count, as constant + slope * z.
  static std::pair<at::Tensor, at::Tensor> through_statistics(const at::Tensor& z,
                                                              const at::Tensor& mean,
                                                              const variable_list& gradients) {
    const std::int64_t channels = z.size(1);
    const double count = static_cast<double>(z.numel() / channels);
    at::Tensor constant = at::empty({channels}, at::kFloat);
    at::Tensor slope = at::empty({channels}, at::kFloat);
    const at::Tensor of_mean = gradients[1].defined() ? gradients[1].contiguous() : at::Tensor();
    const at::Tensor of_variance =
        gradients[2].defined() ? gradients[2].contiguous() : at::Tensor();
    for (std::int64_t c = 0; c < channels; ++c) {
      const double m = of_mean.defined() ? of_mean.data_ptr<float>()[c] : 0.0;
      const double v = of_variance.defined() ? of_variance.data_ptr<float>()[c] : 0.0;
      const double per_z = 2.0 * v / count;
      slope.data_ptr<float>()[c] = static_cast<float>(per_z);
      constant.data_ptr<float>()[c] =
          static_cast<float>(m / count - per_z * static_cast<double>(mean.data_ptr<float>()[c]));
    }
    return {constant, slope};
  }
};

/// (mean, variance, weight, bias) -> (scale, shift): a handful of scalars per channel, kept out of
/// LibTorch's dispatcher.
class AffineFunction : public torch::autograd::Function<AffineFunction> {
 public:
  static variable_list forward(AutogradContext* ctx, const at::Tensor& mean,
                               const at::Tensor& variance, const at::Tensor& weight,
                               const at::Tensor& bias, double eps) {
    at::Tensor scale = at::empty_like(mean);
    at::Tensor shift = at::empty_like(mean);
    at::Tensor inverse = at::empty_like(mean);
    for (std::int64_t c = 0; c < mean.size(0); ++c) {
      const float i = static_cast<float>(
          1.0 / std::sqrt(static_cast<double>(variance.data_ptr<float>()[c]) + eps));
      inverse.data_ptr<float>()[c] = i;
      scale.data_ptr<float>()[c] = weight.data_ptr<float>()[c] * i;
      shift.data_ptr<float>()[c] =
          bias.data_ptr<float>()[c] - mean.data_ptr<float>()[c] * scale.data_ptr<float>()[c];
    }
    ctx->save_for_backward({mean, weight, inverse});
    return {scale, shift};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const float* mean = saved[0].data_ptr<float>();
    const float* weight = saved[1].data_ptr<float>();
    const float* inverse = saved[2].data_ptr<float>();
    const at::Tensor scale_gradient = gradients[0].contiguous();
    const at::Tensor shift_gradient = gradients[1].contiguous();
    variable_list result(5);
    for (int i = 0; i < 4; ++i) result[static_cast<std::size_t>(i)] = at::empty_like(saved[0]);
    for (std::int64_t c = 0; c < saved[0].size(0); ++c) {
      const double of_shift = shift_gradient.data_ptr<float>()[c];
      const double of_scale =
          static_cast<double>(scale_gradient.data_ptr<float>()[c]) - of_shift * mean[c];
      const double i = inverse[c];
      result[0].data_ptr<float>()[c] = static_cast<float>(-of_shift * weight[c] * i);
      result[1].data_ptr<float>()[c] = static_cast<float>(-0.5 * of_scale * weight[c] * i * i * i);
      result[2].data_ptr<float>()[c] = static_cast<float>(of_scale * i);
      result[3].data_ptr<float>()[c] = static_cast<float>(of_shift);
    }
    return result;
  }
};

class AddFunction : public torch::autograd::Function<AddFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& raw,
                            const MaybeTensor& maybe_scale, const MaybeTensor& maybe_shift,
                            const MaybeTensor& maybe_shortcut, std::int64_t act) {
    const at::Tensor scale = value_of(maybe_scale);
    const at::Tensor shift = value_of(maybe_shift);
    const at::Tensor shortcut = value_of(maybe_shortcut);
    const at::Tensor y = empty_activations(raw.sizes());
    kernels::add_forward(image_shape(raw), kernel_input(raw, scale, shift, act),
                         data_or_null(shortcut), y.data_ptr<float>(), kernel_parts());
    ctx->saved_data["act"] = act;
    ctx->saved_data["shortcut"] = shortcut.defined();
    ctx->save_for_backward({raw, scale, shift});
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor gradient = channels_last(gradients[0]);
    const LazyGradient x_gradient(saved[0], saved[1]);
    kernels::add_backward(
        image_shape(saved[0]),
        kernel_input(saved[0], saved[1], saved[2], ctx->saved_data["act"].toInt()),
        gradient.data_ptr<float>(), x_gradient.pointers(), kernel_parts());
    return {x_gradient.raw, x_gradient.scale, x_gradient.shift,
            ctx->saved_data["shortcut"].toBool() ? gradient : at::Tensor(), at::Tensor()};
  }
};

class PoolFunction : public torch::autograd::Function<PoolFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& raw,
                            const MaybeTensor& maybe_scale, const MaybeTensor& maybe_shift,
                            std::int64_t act) {
    const at::Tensor scale = value_of(maybe_scale);
    const at::Tensor shift = value_of(maybe_shift);
    const at::Tensor pooled = at::empty({raw.size(0), raw.size(1)}, at::kFloat);
    kernels::pool_forward(image_shape(raw), kernel_input(raw, scale, shift, act),
                          pooled.data_ptr<float>(), kernel_parts());
    ctx->saved_data["act"] = act;
    ctx->save_for_backward({raw, scale, shift});
    return pooled;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor gradient = gradients[0].contiguous();
    const LazyGradient x_gradient(saved[0], saved[1]);
    kernels::pool_backward(
        image_shape(saved[0]),
        kernel_input(saved[0], saved[1], saved[2], ctx->saved_data["act"].toInt()),
        gradient.data_ptr<float>(), x_gradient.pointers(), kernel_parts());
    return {x_gradient.raw, x_gradient.scale, x_gradient.shift, at::Tensor()};
  }
};

class GateFunction : public torch::autograd::Function<GateFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& raw,
                            const MaybeTensor& maybe_scale, const MaybeTensor& maybe_shift,
                            const at::Tensor& gate, std::int64_t act) {
    const at::Tensor scale = value_of(maybe_scale);
    const at::Tensor shift = value_of(maybe_shift);
    const at::Tensor y = empty_activations(raw.sizes());
    kernels::gate_forward(image_shape(raw), kernel_input(raw, scale, shift, act),
                          gate.data_ptr<float>(), y.data_ptr<float>(), kernel_parts());
    ctx->saved_data["act"] = act;
    ctx->save_for_backward({raw, scale, shift, gate});
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor gradient = channels_last(gradients[0]);
    const LazyGradient x_gradient(saved[0], saved[1]);
    at::Tensor gate_gradient = at::empty_like(saved[3]);
    kernels::gate_backward(
        image_shape(saved[0]),
        kernel_input(saved[0], saved[1], saved[2], ctx->saved_data["act"].toInt()),
        saved[3].data_ptr<float>(), gradient.data_ptr<float>(), x_gradient.pointers(),
        gate_gradient.data_ptr<float>(), kernel_parts());
    return {x_gradient.raw, x_gradient.scale, x_gradient.shift, gate_gradient, at::Tensor()};
  }
};

/// The kernels trust these sizes, where LibTorch's operators look for themselves.
void check_weight(const Feature& x, const at::Tensor& weight, const ConvGeometry& geometry) {
  const std::int64_t channels = x.raw.size(1);
  const std::int64_t side = geometry.kernel_size;
  const bool fits = weight.dim() == 4 && weight.size(2) == side && weight.size(3) == side &&
                    weight.size(1) == (geometry.depthwise ? 1 : channels) &&
                    (!geometry.depthwise || weight.size(0) == channels);
  OMNIFIT_CHECK(fits, "a weight of {} elements for {} channels and a {}x{} kernel", weight.numel(),
                channels, side, side);
}

bool has_whole_blocks(std::int64_t channels) { return channels % 8 == 0; }

std::int64_t act_code(const Feature& x) { return static_cast<std::int64_t>(x.act); }

at::Tensor pooled(const Feature& x) {
  const LazyTensors t = lazy_tensors(x);
  return PoolFunction::apply(t.raw, t.scale, t.shift, act_code(x));
}

}  // namespace

bool can_conv(const Feature& x, const at::Tensor& weight, const ConvGeometry& geometry) {
  if (!is_activations(x.raw) || !is_plain_float(weight) || !has_whole_blocks(weight.size(0))) {
    return false;
  }
  const bool small_stride = geometry.stride == 1 || geometry.stride == 2;
  if (geometry.depthwise) {
    return small_stride &&
           (geometry.kernel_size == 3 || geometry.kernel_size == 5 || geometry.kernel_size == 7);
  }
  if (geometry.kernel_size == 1 && geometry.stride == 1) return has_whole_blocks(x.raw.size(1));
  // Patches are gathered from plain images; the gradient of those is LibTorch's business.
  return x.plain() && !x.raw.requires_grad();
}

ConvOutput conv(const Feature& x, const at::Tensor& weight, const ConvGeometry& geometry,
                bool with_statistics) {
  check_weight(x, weight, geometry);
  const LazyTensors t = lazy_tensors(x);
  const variable_list out = ConvFunction::apply(
      t.raw, t.scale, t.shift, weight.contiguous(), act_code(x), std::int64_t{geometry.kernel_size},
      std::int64_t{geometry.stride}, geometry.depthwise, with_statistics);
  if (!with_statistics) return {out[0], {}, {}};
  return {out[0], out[1], out[2]};
}

bool can_affine(const at::Tensor& mean, const at::Tensor& weight) {
  return is_plain_float(mean) && is_plain_float(weight);
}

Affine batch_norm_affine(const at::Tensor& mean, const at::Tensor& variance,
                         const at::Tensor& weight, const at::Tensor& bias, double eps) {
  const variable_list out = AffineFunction::apply(mean.contiguous(), variance.contiguous(),
                                                  weight.contiguous(), bias.contiguous(), eps);
  return {out[0], out[1]};
}

bool can_squeeze_excite(const Feature& x, const SqueezeExciteWeights& weights) {
  return can_pool(x) && is_plain_float(weights.reduce_weight);
}

at::Tensor squeeze_excite(const Feature& x, const SqueezeExciteWeights& weights) {
  const at::Tensor hidden =
      at::relu(at::linear(pooled(x), weights.reduce_weight.flatten(1), weights.reduce_bias));
  const at::Tensor gate =
      at::hardsigmoid(at::linear(hidden, weights.expand_weight.flatten(1), weights.expand_bias));
  const LazyTensors t = lazy_tensors(x);
  return GateFunction::apply(t.raw, t.scale, t.shift, gate.contiguous(), act_code(x));
}

bool can_add_shortcut(const Feature& x, const at::Tensor& shortcut) {
  return can_pool(x) && (!shortcut.defined() || is_activations(shortcut));
}

at::Tensor add_shortcut(const Feature& x, const at::Tensor& shortcut) {
  const LazyTensors t = lazy_tensors(x);
  return AddFunction::apply(t.raw, t.scale, t.shift,
                            maybe(shortcut.defined() ? channels_last(shortcut) : shortcut),
                            act_code(x));
}

bool can_pool(const Feature& x) { return is_activations(x.raw) && has_whole_blocks(x.raw.size(1)); }

at::Tensor global_pool(const Feature& x) {
  const at::Tensor mean = pooled(x);
  return mean.view({mean.size(0), mean.size(1), 1, 1});
}

}  // namespace omnifit::supernet::ops::fused
