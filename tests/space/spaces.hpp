#pragma once

#include "core/node.hpp"
#include "core/rng.hpp"
#include "space/arch.hpp"
#include "space/search_space.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace omnifit::test {

inline space::SearchSpace shipped_space(const std::string& name) {
  return space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs" / "space" /
                                  (name + ".yaml"));
}

inline space::SearchSpace space_from(const std::string& yaml) {
  return space::SearchSpace::from_yaml(core::parse_yaml(yaml, "space.yaml"));
}

inline core::Rng test_rng(std::uint64_t seed) {
  return core::Rng::stream(seed, core::Purpose::kTest);
}

/// Stages of the reference's elastic parts, with the stride, activation and squeeze-excite of each.
inline std::string elastic_stage(int width, int stride, const std::string& act, bool squeeze_excite,
                                 const std::string& depths) {
  return fmt::format(
      "  - {{width: {}, stride: {}, act: {}, squeeze_excite: {}, depth: {}, kernel_size: [3, 5, "
      "7], "
      "expand_ratio: [3, 4, 6]}}\n",
      width, stride, act, squeeze_excite, depths);
}

/// The reference's MobileNetV3 space for images of the given sizes.
inline space::SearchSpace ofa_mbv3(double width_mult, const std::vector<int>& resolutions) {
  return space_from(
      fmt::format("name: ofa_mbv3\nresolutions: [{}]\nwidth_mult: {}\ndropout: 0.1\n",
                  fmt::join(resolutions, ", "), width_mult) +
      "stem: {name: first_conv, width: 16, kernel_size: 3, stride: 2, act: h_swish}\n"
      "stages:\n"
      "  - {width: 16, act: relu, depth: [1], kernel_size: [3], expand_ratio: [1]}\n" +
      elastic_stage(24, 2, "relu", false, "[2, 3, 4]") +
      elastic_stage(40, 2, "relu", true, "[2, 3, 4]") +
      elastic_stage(80, 2, "h_swish", false, "[2, 3, 4]") +
      elastic_stage(112, 1, "h_swish", true, "[2, 3, 4]") +
      elastic_stage(160, 2, "h_swish", true, "[2, 3, 4]") +
      "head:\n"
      "  - {name: final_expand_layer, width: 960, act: h_swish}\n"
      "  - {name: feature_mix_layer, width: 1280, act: h_swish, batch_norm: false, after_pool: "
      "true}\n");
}

/// The reference's ProxylessNAS space (released width 1.3) for images of the given sizes.
inline space::SearchSpace ofa_proxyless(double width_mult, const std::vector<int>& resolutions) {
  return space_from(
      fmt::format("name: ofa_proxyless\nresolutions: [{}]\nwidth_mult: {}\n",
                  fmt::join(resolutions, ", "), width_mult) +
      "batch_norm: {eps: 1e-3}\n"
      "stem: {name: first_conv, width: 32, kernel_size: 3, stride: 2, act: relu6}\n"
      "stages:\n"
      "  - {width: 16, act: relu6, first_shortcut: false, depth: [1], kernel_size: [3], "
      "expand_ratio: [1]}\n" +
      elastic_stage(24, 2, "relu6", false, "[2, 3, 4]") +
      elastic_stage(40, 2, "relu6", false, "[2, 3, 4]") +
      elastic_stage(80, 2, "relu6", false, "[2, 3, 4]") +
      elastic_stage(96, 1, "relu6", false, "[2, 3, 4]") +
      elastic_stage(192, 2, "relu6", false, "[2, 3, 4]") +
      elastic_stage(320, 1, "relu6", false, "[1]") +
      "head:\n"
      "  - {name: feature_mix_layer, width: 1280, act: relu6}\n");
}

/// The arch with one value of each axis everywhere; positions without a gene keep their single
/// choice.
inline space::Arch uniform_arch(const space::SearchSpace& space, int resolution, int kernel_size,
                                double expand_ratio, int depth) {
  std::vector<std::uint8_t> choices;
  for (const space::Gene& gene : space.genes()) {
    const double value = gene.axis == space::Axis::kResolution   ? resolution
                         : gene.axis == space::Axis::kKernelSize ? kernel_size
                         : gene.axis == space::Axis::kDepth      ? depth
                                                                 : expand_ratio;
    std::size_t index = 0;
    while (gene.choices.at(index) != value) ++index;
    choices.push_back(static_cast<std::uint8_t>(index));
  }
  return {space, choices};
}

}  // namespace omnifit::test
