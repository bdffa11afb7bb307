#include "exporters/runtime_check.hpp"

#include "core/error.hpp"
#include "core/scratch_folder.hpp"
#include "core/version.hpp"
#include "exporters/onnx_export.hpp"

#include <array>

namespace omnifit::exporters {
namespace {

/// Mean over the pixels, then a linear layer.
formats::FoldedNetwork two_layers() {
  formats::FoldedNetwork network;
  network.plan.io = {.in_channels = 1, .num_classes = 2};
  network.plan.resolution_px = 2;
  network.plan.units = {{0, space::PoolSpec{.channels = 1, .in_px = 2}},
                        {1, space::LinearSpec{.in_features = 1, .out_features = 2}}};
  network.tensors = {
      formats::NamedTensor::from_floats("units.1.weight", {2, 1}, std::array{2.0F, -4.0F}),
      formats::NamedTensor::from_floats("units.1.bias", {2}, std::array{0.5F, 1.0F})};
  return network;
}

}  // namespace

Proof check_onnx_runtime(const OnnxProofOptions& options) {
  const core::ScratchFolder folder;
  const std::filesystem::path model = folder.path() / "check.onnx";
  formats::OnnxOptions onnx;
  onnx.producer_version = core::version();
  write_onnx(two_layers(), model, onnx);
  // The mean of the image is 2, so the logits are 2 * 2 + 0.5 and -4 * 2 + 1.
  return prove_onnx(
      model,
      formats::NamedTensor::from_floats("images", {1, 1, 2, 2}, std::array{1.0F, 2.0F, 2.0F, 3.0F}),
      formats::NamedTensor::from_floats("logits", {1, 2}, std::array{4.5F, -7.0F}), options);
}

}  // namespace omnifit::exporters
