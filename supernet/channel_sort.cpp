#include "core/error.hpp"
#include "supernet/supernet.hpp"
#include "supernet/supernet_impl.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>

namespace omnifit::supernet {
namespace {

/// Larger than any sum of absolute weights, so that offsets keep groups apart.
constexpr double kGroupOffset = 1e5;

void permute(const at::Tensor& tensor, std::int64_t dim, const at::Tensor& order) {
  if (tensor.defined()) tensor.detach().copy_(tensor.detach().index_select(dim, order));
}

void permute_norm(const SlotNorm& norm, const at::Tensor& order) {
  permute(norm.weight, 0, order);
  permute(norm.bias, 0, order);
  permute(norm.running_mean, 0, order);
  permute(norm.running_var, 0, order);
}

at::Tensor descending(const at::Tensor& importance) {
  return at::argsort(importance, /*dim=*/0, /*descending=*/true);
}

/// L1 norm of every input channel of the convolution that reads them, with channels outside the
/// widths of the `stage` next smaller expand ratios pushed behind them. `widths` ascend, one per
/// ratio: as in the reference a width that two ratios share counts twice.
at::Tensor channel_importance(const SlotConv& reader, const std::vector<int>& widths, int stage) {
  at::Tensor importance = reader.weight.abs().sum(at::IntArrayRef{0, 2, 3});
  const int groups = static_cast<int>(widths.size());
  double offset = -kGroupOffset * groups;
  std::int64_t right = importance.size(0);
  for (int i = 0; i <= std::min(stage, groups - 1); ++i) {
    const std::int64_t left = widths[static_cast<std::size_t>(groups - 1 - i)];
    if (left < right) importance.narrow(0, left, right - left).add_(offset);
    offset += kGroupOffset;
    right = left;
  }
  return importance;
}

/// Sorts the channels between two convolutions.
void sort_between(const SlotConv& writer, const SlotConv& reader, const std::vector<int>& widths,
                  int stage) {
  const at::Tensor order = descending(channel_importance(reader, widths, stage));
  permute(reader.weight, 1, order);
  permute_norm(writer.norm, order);
  permute(writer.weight, 0, order);
}

void sort_squeeze_excite(const ops::SqueezeExciteWeights& weights, const at::Tensor& order) {
  if (!weights.reduce_weight.defined()) return;
  permute(weights.expand_weight, 0, order);
  permute(weights.expand_bias, 0, order);
  permute(weights.reduce_weight, 1, order);
  const at::Tensor inner = descending(weights.expand_weight.abs().sum(at::IntArrayRef{0, 2, 3}));
  permute(weights.expand_weight, 1, inner);
  permute(weights.reduce_weight, 0, inner);
  permute(weights.reduce_bias, 0, inner);
}

}  // namespace

void Supernet::sort_channels(int stage) {
  OMNIFIT_CHECK(stage >= 0, "stage must be at least 0, got {}", stage);
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < impl_->slots.size(); ++i) {
    const space::Slot& slot = impl_->slots[i];
    const SlotTensors& tensors = impl_->tensors[i];
    if (std::holds_alternative<space::BottleneckSpec>(slot.largest) &&
        slot.mid_channels.size() > 1) {
      const auto& convs = tensors.bottleneck;
      sort_between(convs[1], convs[2], slot.mid_channels, stage);
      sort_between(convs[0], convs[1], slot.mid_channels, stage);
      continue;
    }
    const auto* block = std::get_if<space::MbConvSpec>(&slot.largest);
    // Without an expand convolution the middle channels are the block's input: their order is not
    // ours.
    if (block == nullptr || !block->expand || slot.mid_channels.size() < 2) continue;
    const at::Tensor order =
        descending(channel_importance(tensors.project, slot.mid_channels, stage));
    permute(tensors.project.weight, 1, order);
    permute_norm(tensors.depthwise.norm, order);
    permute(tensors.depthwise.weight, 0, order);
    sort_squeeze_excite(tensors.squeeze_excite, order);
    permute_norm(tensors.expand.norm, order);
    permute(tensors.expand.weight, 0, order);
  }
}

}  // namespace omnifit::supernet
