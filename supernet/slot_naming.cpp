#include "supernet/slot_naming.hpp"

#include "core/error.hpp"

namespace omnifit::supernet {
namespace {

using space::Slot;

LayerNames layer_names(const Slot& slot, const std::string& layer) {
  const std::string prefix = slot.name + "." + layer;
  if (slot.elastic) return {prefix + "conv.conv.", prefix + "bn.bn."};
  return {prefix + "conv.", prefix + "bn."};
}

LayerNames block_layer(const Slot& slot, const std::string& layer) {
  return layer_names(slot, "conv." + layer + ".");
}

/// Collects the tensors of one slot in state-dict order.
class EntryList {
 public:
  explicit EntryList(const Slot& slot) : slot_(slot) {}

  void operator()(const space::ConvSpec& spec) {
    conv(conv_names(slot_), spec.out_channels, spec.in_channels, spec.kernel_size, spec.batch_norm);
    if (spec.bias) add(conv_names(slot_).conv + "bias", {spec.out_channels}, TensorRole::kBias);
  }

  void operator()(const space::MbConvSpec& spec) {
    if (spec.expand) conv(expand_names(slot_), spec.mid_channels, spec.in_channels, 1, true);
    for (std::size_t i = 0; i + 1 < slot_.kernel_sizes.size(); ++i) {
      const int to = slot_.kernel_sizes[i];
      const std::int64_t side = std::int64_t{to} * to;
      add(kernel_matrix_name(slot_, slot_.kernel_sizes[i + 1], to), {side, side},
          TensorRole::kKernelMatrix);
    }
    conv(depthwise_names(slot_), spec.mid_channels, 1, spec.kernel_size, true);
    if (spec.se_channels > 0) squeeze_excite(spec.mid_channels, spec.se_channels);
    conv(project_names(slot_), spec.out_channels, spec.mid_channels, 1, true);
  }

  void operator()(const space::PoolSpec&) {}

  void operator()(const space::LinearSpec& spec) {
    const std::string prefix = linear_prefix(slot_);
    add(prefix + "weight", {spec.out_features, spec.in_features}, TensorRole::kLinearWeight);
    add(prefix + "bias", {spec.out_features}, TensorRole::kBias);
  }

  void operator()(const space::BottleneckSpec& spec) {
    conv(bottleneck_names(slot_, 1), spec.mid_channels, spec.in_channels, 1, true);
    conv(bottleneck_names(slot_, 2), spec.mid_channels, spec.mid_channels, spec.kernel_size, true);
    conv(bottleneck_names(slot_, 3), spec.out_channels, spec.mid_channels, 1, true);
    if (spec.downsample != space::Downsample::kNone) {
      conv(downsample_names(slot_), spec.out_channels, spec.in_channels, 1, true);
    }
  }

  void operator()(const space::MaxPoolSpec&) {}

  std::vector<TensorEntry> take() { return std::move(entries_); }

 private:
  void add(std::string name, std::vector<std::int64_t> shape, TensorRole role) {
    entries_.push_back({std::move(name), std::move(shape), role});
  }

  void conv(const LayerNames& names, std::int64_t out, std::int64_t in, std::int64_t kernel_size,
            bool norm) {
    add(names.conv + "weight", {out, in, kernel_size, kernel_size}, TensorRole::kConvWeight);
    if (!norm) return;
    add(names.norm + "weight", {out}, TensorRole::kNormWeight);
    add(names.norm + "bias", {out}, TensorRole::kBias);
    add(names.norm + "running_mean", {out}, TensorRole::kRunningMean);
    add(names.norm + "running_var", {out}, TensorRole::kRunningVar);
    add(names.norm + "num_batches_tracked", {}, TensorRole::kNumBatchesTracked);
  }

  void squeeze_excite(std::int64_t channels, std::int64_t squeezed) {
    const std::string prefix = squeeze_excite_prefix(slot_);
    add(prefix + "reduce.weight", {squeezed, channels, 1, 1}, TensorRole::kConvWeight);
    add(prefix + "reduce.bias", {squeezed}, TensorRole::kBias);
    add(prefix + "expand.weight", {channels, squeezed, 1, 1}, TensorRole::kConvWeight);
    add(prefix + "expand.bias", {channels}, TensorRole::kBias);
  }

  const Slot& slot_;
  std::vector<TensorEntry> entries_;
};

}  // namespace

LayerNames conv_names(const Slot& slot) {
  const bool residual = std::get<space::ConvSpec>(slot.largest).shortcut;
  return layer_names(slot, residual ? "conv." : "");
}
LayerNames expand_names(const Slot& slot) { return block_layer(slot, "inverted_bottleneck"); }
LayerNames depthwise_names(const Slot& slot) { return block_layer(slot, "depth_conv"); }
LayerNames project_names(const Slot& slot) { return block_layer(slot, "point_linear"); }
LayerNames bottleneck_names(const Slot& slot, int conv) {
  return layer_names(slot, fmt::format("conv{}.", conv));
}
LayerNames downsample_names(const Slot& slot) { return layer_names(slot, "downsample."); }

std::string linear_prefix(const Slot& slot) {
  return slot.name + (slot.elastic ? ".linear.linear." : ".linear.");
}

std::string kernel_matrix_name(const Slot& slot, int from, int to) {
  return fmt::format("{}.conv.depth_conv.conv.{}to{}_matrix", slot.name, from, to);
}

std::string squeeze_excite_prefix(const Slot& slot) {
  return slot.name + ".conv.depth_conv.se.fc.";
}

std::vector<TensorEntry> tensor_entries(const Slot& slot) {
  EntryList list(slot);
  std::visit(list, slot.largest);
  return list.take();
}

}  // namespace omnifit::supernet
