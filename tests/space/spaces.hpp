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

/// A shipped space with some of its keys replaced ("width_mult=1.2").
inline space::SearchSpace shipped_space_with(const std::string& name,
                                             const std::vector<std::string>& assignments) {
  core::Node root = core::load_yaml(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs" /
                                    "space" / (name + ".yaml"));
  for (const std::string& assignment : assignments) core::apply_override(root, assignment);
  return space::SearchSpace::from_yaml(root);
}

inline std::string resolutions_key(const std::vector<int>& resolutions) {
  return fmt::format("resolutions=[{}]", fmt::join(resolutions, ", "));
}

/// The reference's MobileNetV3 space for images of the given sizes.
inline space::SearchSpace ofa_mbv3(double width_mult, const std::vector<int>& resolutions) {
  return shipped_space_with(
      "ofa_mbv3", {resolutions_key(resolutions), fmt::format("width_mult={}", width_mult)});
}

/// The reference's ProxylessNAS space (released width 1.3) for images of the given sizes.
inline space::SearchSpace ofa_proxyless(double width_mult, const std::vector<int>& resolutions) {
  return shipped_space_with(
      "ofa_proxyless", {resolutions_key(resolutions), fmt::format("width_mult={}", width_mult)});
}

/// The reference's ResNet50-D space for images of the given sizes.
inline space::SearchSpace ofa_resnet50(const std::vector<int>& resolutions) {
  return shipped_space_with("ofa_resnet50", {resolutions_key(resolutions)});
}

/// A bottleneck space small enough to enumerate, in which some choices round alike.
inline space::SearchSpace small_bottleneck() {
  return space_from(R"(
name: narrow
family: bottleneck
resolutions: [16, 20]
width_mult: [0.5, 0.6, 1.0]
stem: {width: 16, depth: [0, 1]}
stages:
  - {width: 16, depth: [1, 2], expand_ratio: [0.25, 0.5, 1]}
  - {width: 24, stride: 2, depth: [1, 2]}
)");
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
