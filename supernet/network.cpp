#include "supernet/network.hpp"

#include "core/error.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

namespace omnifit::supernet {
namespace {

using ops::ConvGeometry;
using ops::Feature;

/// Executes units one after the other; counts the batch norms as they come.
class Walker {
 public:
  explicit Walker(const ExecuteOptions& options) : options_(options) {}

  Feature run(const space::LayerSpec& spec, const UnitWeights& weights, const Feature& x) {
    return std::visit(
        space::Overloaded{
            [&](const space::ConvSpec& s) {
              return conv_unit(s, std::get<ConvWeights>(weights), x);
            },
            [&](const space::MbConvSpec& s) {
              return block(s, std::get<MbConvWeights>(weights), x);
            },
            [&](const space::PoolSpec&) {
              return Feature{ops::global_pool(x, options_.kernels), {}, {}};
            },
            [&](const space::LinearSpec&) { return linear(std::get<LinearWeights>(weights), x); },
            [&](const space::BottleneckSpec& s) {
              return bottleneck(s, std::get<BottleneckWeights>(weights), x);
            },
            [&](const space::MaxPoolSpec& s) {
              return Feature{ops::max_pool(x, s.kernel_size, s.stride, options_.kernels), {}, {}};
            }},
        spec);
  }

  [[nodiscard]] std::size_t norms_seen() const { return norm_; }

 private:
  Feature conv(const Feature& x, const ConvWeights& weights, const ConvGeometry& geometry,
               space::Act act) {
    if (!weights.normalised()) {
      return ops::conv_bias_act(x, weights.weight, weights.bias, geometry, act, options_.kernels);
    }
    const bool batch_statistics = options_.given == nullptr;
    ops::ConvOutput out =
        ops::conv(x, weights.weight, geometry, batch_statistics, options_.kernels);
    if (!batch_statistics) {
      OMNIFIT_CHECK(norm_ < options_.given->entries.size(), "statistics of {} batch norms",
                    options_.given->entries.size());
      out.mean = options_.given->entries[norm_].mean;
      out.variance = options_.given->entries[norm_].variance;
    }
    ++norm_;
    if (options_.record != nullptr) {
      options_.record->entries.push_back({out.mean.detach(), out.variance.detach()});
    }
    const ops::Affine affine =
        ops::batch_norm_affine(out.mean, out.variance, weights.norm_weight, weights.norm_bias,
                               options_.norm_eps, options_.kernels);
    return {out.raw, affine.scale, affine.shift, act};
  }

  /// For two readers: what is deferred is applied once.
  [[nodiscard]] Feature plain(const Feature& x) const {
    return x.plain() ? x : Feature{ops::add_shortcut(x, {}, options_.kernels), {}, {}};
  }

  Feature conv_unit(const space::ConvSpec& spec, const ConvWeights& weights, const Feature& input) {
    const ConvGeometry geometry{spec.kernel_size, spec.stride, false};
    if (!spec.shortcut) return conv(input, weights, geometry, spec.act);
    const Feature x = plain(input);
    const Feature y = conv(x, weights, geometry, spec.act);
    return {ops::add_shortcut(y, x.raw, options_.kernels), {}, {}};
  }

  Feature bottleneck(const space::BottleneckSpec& spec, const BottleneckWeights& weights,
                     const Feature& input) {
    const Feature x = plain(input);
    Feature h = conv(x, weights.conv1, {1, 1, false}, spec.act);
    h = conv(h, weights.conv2, {spec.kernel_size, spec.stride, false}, spec.act);
    h = conv(h, weights.conv3, {1, 1, false}, space::Act::kNone);
    const at::Tensor sum = ops::add_shortcut(h, shortcut_of(spec, weights, x), options_.kernels);
    return {ops::activate(sum, spec.act), {}, {}};
  }

  at::Tensor shortcut_of(const space::BottleneckSpec& spec, const BottleneckWeights& weights,
                         const Feature& x) {
    if (spec.downsample == space::Downsample::kNone) return x.raw;
    const bool pooled = spec.downsample == space::Downsample::kAvgPoolConv;
    const Feature small = pooled && spec.stride > 1
                              ? Feature{ops::average_pool(x, spec.stride, options_.kernels), {}, {}}
                              : x;
    const ConvGeometry geometry{1, pooled ? 1 : spec.stride, false};
    return plain(conv(small, weights.downsample, geometry, space::Act::kNone)).raw;
  }

  Feature block(const space::MbConvSpec& spec, const MbConvWeights& weights, const Feature& input) {
    const Feature x = spec.shortcut ? plain(input) : input;
    Feature h = x;
    if (spec.expand) h = conv(h, weights.expand, {1, 1, false}, spec.act);
    h = conv(h, weights.depthwise, {spec.kernel_size, spec.stride, true}, spec.act);
    if (spec.se_channels > 0) {
      h = ops::squeeze_excite(h, weights.squeeze_excite, options_.kernels);
    }
    h = conv(h, weights.project, {1, 1, false}, space::Act::kNone);
    return {ops::add_shortcut(h, spec.shortcut ? x.raw : at::Tensor(), options_.kernels), {}, {}};
  }

  Feature linear(const LinearWeights& weights, const Feature& x) const {
    at::Tensor value = ops::materialise(x).flatten(1);
    if (options_.dropout.defined()) value = value * options_.dropout;
    return {at::linear(value, weights.weight, weights.bias), {}, {}};
  }

  const ExecuteOptions& options_;
  std::size_t norm_ = 0;
};

ConvWeights fold_conv(const ConvWeights& weights, const BnStats::Entry& stats, double norm_eps) {
  const at::Tensor scale = weights.norm_weight * at::rsqrt(stats.variance + norm_eps);
  at::Tensor bias = weights.norm_bias - stats.mean * scale;
  if (weights.bias.defined()) bias = bias + weights.bias * scale;
  return {weights.weight * scale.view({-1, 1, 1, 1}), bias, {}, {}};
}

/// Walks the convolutions of a unit in execution order.
class Folder {
 public:
  Folder(const BnStats& stats, double norm_eps) : stats_(stats), norm_eps_(norm_eps) {}

  UnitWeights operator()(std::monostate) { return std::monostate{}; }
  UnitWeights operator()(const ConvWeights& weights) { return next(weights); }
  UnitWeights operator()(const MbConvWeights& weights) {
    MbConvWeights folded;
    if (weights.expand.weight.defined()) folded.expand = next(weights.expand);
    folded.depthwise = next(weights.depthwise);
    const auto& se = weights.squeeze_excite;
    if (se.reduce_weight.defined()) {
      folded.squeeze_excite = {se.reduce_weight.contiguous(), se.reduce_bias.contiguous(),
                               se.expand_weight.contiguous(), se.expand_bias.contiguous()};
    }
    folded.project = next(weights.project);
    return folded;
  }
  UnitWeights operator()(const LinearWeights& weights) { return weights; }
  UnitWeights operator()(const BottleneckWeights& weights) {
    BottleneckWeights folded;
    folded.conv1 = next(weights.conv1);
    folded.conv2 = next(weights.conv2);
    folded.conv3 = next(weights.conv3);
    if (weights.downsample.weight.defined()) folded.downsample = next(weights.downsample);
    return folded;
  }

 private:
  ConvWeights next(const ConvWeights& weights) {
    if (!weights.normalised()) return weights;
    OMNIFIT_CHECK(norm_ < stats_.entries.size(), "statistics of {} batch norms",
                  stats_.entries.size());
    return fold_conv(weights, stats_.entries[norm_++], norm_eps_);
  }

  const BnStats& stats_;
  double norm_eps_;
  std::size_t norm_ = 0;
};

}  // namespace

at::Tensor execute(const space::NetworkPlan& plan, const std::vector<UnitWeights>& weights,
                   const at::Tensor& x, const ExecuteOptions& options) {
  OMNIFIT_CHECK(weights.size() == plan.units.size(), "weights of {} units for a plan of {}",
                weights.size(), plan.units.size());
  Walker walker(options);
  Feature feature{x.contiguous(at::MemoryFormat::ChannelsLast), {}, {}};
  for (std::size_t i = 0; i < plan.units.size(); ++i) {
    feature = walker.run(plan.units[i].spec, weights[i], feature);
  }
  OMNIFIT_CHECK(options.given == nullptr || walker.norms_seen() == options.given->entries.size(),
                "statistics of {} batch norms for a network of {}",
                options.given == nullptr ? 0 : options.given->entries.size(), walker.norms_seen());
  return ops::materialise(feature);
}

std::vector<UnitWeights> fold(const std::vector<UnitWeights>& weights, const BnStats& stats,
                              double norm_eps) {
  const at::NoGradGuard no_grad;
  Folder folder(stats, norm_eps);
  std::vector<UnitWeights> folded;
  folded.reserve(weights.size());
  for (const UnitWeights& unit : weights) folded.push_back(std::visit(folder, unit));
  return folded;
}

BnStats calibrate(const space::NetworkPlan& plan, const std::vector<UnitWeights>& weights,
                  const std::vector<at::Tensor>& batches, double norm_eps, ops::Kernels kernels) {
  OMNIFIT_CHECK(!batches.empty(), "calibration without images");
  const at::NoGradGuard no_grad;
  BnStats total;
  std::int64_t num_images = 0;
  for (const at::Tensor& batch : batches) {
    BnStats of_batch;
    ExecuteOptions options;
    options.kernels = kernels;
    options.norm_eps = norm_eps;
    options.record = &of_batch;
    execute(plan, weights, batch, options);
    const auto images = static_cast<double>(batch.size(0));
    num_images += batch.size(0);
    if (total.entries.empty()) {
      for (const auto& entry : of_batch.entries) {
        total.entries.push_back({entry.mean * images, entry.variance * images});
      }
      continue;
    }
    for (std::size_t i = 0; i < total.entries.size(); ++i) {
      total.entries[i].mean.add_(of_batch.entries[i].mean, images);
      total.entries[i].variance.add_(of_batch.entries[i].variance, images);
    }
  }
  for (auto& entry : total.entries) {
    entry.mean.div_(static_cast<double>(num_images));
    entry.variance.div_(static_cast<double>(num_images));
  }
  return total;
}

}  // namespace omnifit::supernet
