#include "space/detail/bottleneck_file.hpp"

#include "space/detail/act_table.hpp"
#include "space/detail/file_checks.hpp"

#include <algorithm>

namespace omnifit::space::detail {

namespace {

/// Of the first convolution and of the max pool.
constexpr int kStemStride = 4;
constexpr int kMaxStemDepth = 1;

}  // namespace

void BottleneckStemFile::fields(core::Fields& f) {
  f.text("name", name, "prefix of its tensors in the state dict");
  check_identifier(f, "name", name);
  f.integer("width", width, {1, kMaxWidth}, "output channels before the width multiplier");
  f.choice("act", act, act_table(), "activation function");
  f.integers("depth", depths, {0, kMaxStemDepth}, "choices: residual layers in the middle");
  check_choices(f, "depth", depths);
  // Tensors of the blocks, the pools and the classifier have these prefixes already.
  const auto reserved = {"blocks", "pool", "max_pool", "classifier"};
  if (f.reading() && std::ranges::find(reserved, name) != reserved.end()) {
    f.error("name", fmt::format("the name '{}' is reserved", name));
  }
}

void BottleneckStageFile::fields(core::Fields& f) {
  f.integer("width", config.width, {1, kMaxWidth}, "output channels before the width multiplier");
  f.integer("stride", config.stride, {1, kMaxStride}, "of the first block");
  f.choice("act", config.act, act_table(), "activation function");
  f.integer("base_depth", config.base_depth, {0, kMaxDepth},
            "blocks that 'd' of the JSON form does not count");
  f.integers("depth", config.depths, {1, kMaxDepth}, "choices: active blocks");
  check_choices(f, "depth", config.depths);
  f.reals("expand_ratio", config.expand_ratios, {0.0, kMaxExpandRatio, true},
          "choices per block: middle width / output width");
  check_choices(f, "expand_ratio", config.expand_ratios);
  if (f.reading() && !config.depths.empty() && config.base_depth > config.depths.front()) {
    f.error("base_depth", fmt::format("must be at most the smallest depth {}, got {}",
                                      config.depths.front(), config.base_depth));
  }
}

void BottleneckFile::fields(core::Fields& f) {
  f.text("name", name, "of the space, stands in arch texts");
  check_identifier(f, "name", name);
  f.integer("version", version, {1, 1'000'000}, "raised when the meaning of archs changes");
  f.choice("family", family, family_table(), "kind of network");
  f.integers("resolutions", resolutions, {1, kMaxPx}, "choices: side of the input image in pixels");
  check_choices(f, "resolutions", resolutions);
  f.reals("width_mult", width_mults, {0.0, kMaxWidthMult, true},
          "choices: factor on the width of the stem's parts and of each stage");
  check_choices(f, "width_mult", width_mults);
  f.section("batch_norm", batch_norm, "of every normalised layer");
  f.real("dropout", dropout_prob, {0.0, 0.95}, "probability before the classifier");
  f.section("stem", stem, "three convolutions, the middle one residual, and a max pool");
  f.sections("stages", stages, "blocks of one output width");
  if (!f.reading()) return;
  if (stages.empty()) f.error("stages", "needs at least one stage, found none");
  int total_stride = kStemStride;
  for (const BottleneckStageFile& stage : stages) {
    total_stride = capped_product(total_stride, stage.config.stride);
  }
  check_resolutions(f, resolutions, total_stride);
}

}  // namespace omnifit::space::detail
