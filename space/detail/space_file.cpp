#include "space/detail/space_file.hpp"

#include "space/detail/act_table.hpp"
#include "space/detail/file_checks.hpp"

#include <algorithm>
#include <set>

namespace omnifit::space::detail {

namespace {

void conv_fields(core::Fields& f, ConvConfig& config) {
  f.text("name", config.name, "prefix of its tensors in the state dict");
  check_identifier(f, "name", config.name);
  f.integer("width", config.width, {1, kMaxWidth}, "output channels before the width multiplier");
  f.integer("kernel_size", config.kernel_size, {1, kMaxKernelSize}, "odd side length");
  check_odd(f, "kernel_size", {config.kernel_size});
}

}  // namespace

void StageFile::fields(core::Fields& f) {
  f.integer("width", config.width, {1, kMaxWidth}, "output channels before the width multiplier");
  f.integer("stride", config.stride, {1, kMaxStride}, "of the first block");
  f.choice("act", config.act, act_table(), "activation function");
  f.boolean("squeeze_excite", config.squeeze_excite, "squeeze-excite after the depthwise conv");
  f.boolean("first_shortcut", config.first_shortcut,
            "shortcut of a first block of stride 1 and equal widths");
  f.integers("depth", config.depths, {1, kMaxDepth}, "choices: active blocks");
  check_choices(f, "depth", config.depths);
  f.integers("kernel_size", config.kernel_sizes, {1, kMaxKernelSize}, "choices per block, odd");
  check_choices(f, "kernel_size", config.kernel_sizes);
  check_odd(f, "kernel_size", config.kernel_sizes);
  f.reals("expand_ratio", config.expand_ratios, {1.0, kMaxExpandRatio},
          "choices per block: middle width / input width; only 1: no expand conv");
  check_choices(f, "expand_ratio", config.expand_ratios);
}

void StemFile::fields(core::Fields& f) {
  conv_fields(f, config);
  f.integer("stride", config.stride, {1, kMaxStride}, "of the convolution");
  f.choice("act", config.act, act_table(), "activation function");
}

void HeadFile::fields(core::Fields& f) {
  conv_fields(f, config);
  f.choice("act", config.act, act_table(), "activation function");
  f.boolean("batch_norm", config.batch_norm, "batch norm after the convolution");
  f.boolean("after_pool", config.after_pool, "runs on the pooled 1x1 features");
  if (f.reading() && config.after_pool && config.kernel_size != 1) {
    f.error("kernel_size", fmt::format("must be 1 after the pool, found {}", config.kernel_size));
  }
}

void BatchNormFile::fields(core::Fields& f) {
  f.real("momentum", config.momentum, {0.0, 1.0, true}, "weight of the newest batch");
  f.real("eps", config.eps, {0.0, 1.0, true}, "added to the variance");
}

void SpaceFile::fields(core::Fields& f) {
  f.text("name", name, "of the space, stands in arch texts");
  check_identifier(f, "name", name);
  f.integer("version", version, {1, 1'000'000}, "raised when the meaning of archs changes");
  f.choice("family", family, family_table(), "kind of network");
  f.integers("resolutions", resolutions, {1, kMaxPx}, "choices: side of the input image in pixels");
  check_choices(f, "resolutions", resolutions);
  f.real("width_mult", width_mult, {0.0, kMaxWidthMult, true}, "scales every width");
  f.section("batch_norm", batch_norm, "of every normalised layer");
  f.real("dropout", dropout_prob, {0.0, 0.95}, "probability before the classifier");
  f.section("stem", stem, "first convolution");
  f.sections("stages", stages, "blocks of one output width");
  f.sections("head", head, "convolutions around the global pool");
  if (f.reading()) check(f);
}

void SpaceFile::check(core::Fields& f) const {
  if (stages.empty()) f.error("stages", "needs at least one stage, found none");
  check_names(f);
  check_head_order(f);
  int total_stride = stem.config.stride;
  for (const StageFile& stage : stages) {
    total_stride = capped_product(total_stride, stage.config.stride);
  }
  check_resolutions(f, resolutions, total_stride);
}

void SpaceFile::check_names(core::Fields& f) const {
  // Tensors of the blocks, the pool and the classifier have these prefixes already.
  std::set<std::string> taken{"blocks", "pool", "classifier", stem.config.name};
  if (taken.size() < 4) {
    f.error("stem", fmt::format("the name '{}' is reserved", stem.config.name));
  }
  for (const HeadFile& conv : head) {
    if (!taken.insert(conv.config.name).second) {
      f.error("head", fmt::format("the name '{}' is used twice or reserved", conv.config.name));
    }
  }
}

void SpaceFile::check_head_order(core::Fields& f) const {
  for (std::size_t i = 1; i < head.size(); ++i) {
    if (head[i - 1].config.after_pool && !head[i].config.after_pool) {
      f.error("head", fmt::format("'{}' runs before the pool and must be listed before '{}'",
                                  head[i].config.name, head[i - 1].config.name));
    }
  }
}

}  // namespace omnifit::space::detail
