#pragma once

#include "core/node.hpp"
#include "space/arch.hpp"
#include "tests/support/python_random.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <string>
#include <vector>

/// Spaces and subnets in the words of the reference implementation.
namespace omnifit::test {

/// A shipped space with some of its keys replaced ("width_mult=1.2").
inline space::SearchSpace reference_space(const std::string& name,
                                          const std::vector<std::string>& assignments) {
  core::Node root = core::load_yaml(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space" /
                                    (name + ".yaml"));
  for (const std::string& assignment : assignments) core::apply_override(root, assignment);
  return space::SearchSpace::from_yaml(root);
}

/// A bottleneck space that runs in no time.
inline space::SearchSpace small_bottleneck_space() {
  return space::SearchSpace::from_yaml(core::parse_yaml(R"(
name: narrow
family: bottleneck
resolutions: [12, 16]
width_mult: [0.5, 1.0]
stem: {width: 16, depth: [0, 1]}
stages:
  - {width: 32, depth: [1, 2], expand_ratio: [0.25, 0.5]}
  - {width: 64, stride: 2, depth: [1, 2], expand_ratio: [0.25, 0.5]}
)",
                                                        "narrow.yaml"));
}

inline space::Arch arch_from_lists(const space::SearchSpace& space,
                                   const std::vector<int>& kernel_sizes,
                                   const std::vector<int>& expand_ratios,
                                   const std::vector<int>& depths) {
  return space::parse_arch_json(
      space, fmt::format(R"({{"ks": [{}], "e": [{}], "d": [{}], "image_size": {}}})",
                         fmt::join(kernel_sizes, ", "), fmt::join(expand_ratios, ", "),
                         fmt::join(depths, ", "), space.resolutions().front()));
}

/// One value everywhere; the sixth stage of ProxylessNAS always has one block.
inline space::Arch uniform_arch(const space::SearchSpace& space, int kernel_size, int expand_ratio,
                                int depth) {
  std::vector<int> depths(5, depth);
  const bool proxyless = space.stages().size() == 7;
  if (proxyless) depths.push_back(1);
  const std::size_t blocks = proxyless ? 21 : 20;
  return arch_from_lists(space, std::vector<int>(blocks, kernel_size),
                         std::vector<int>(blocks, expand_ratio), depths);
}

/// The subnet that the reference draws from the MobileNetV3 space after random.seed(seed).
inline space::Arch drawn_mbv3_arch(const space::SearchSpace& space, std::uint64_t seed) {
  PythonRandom random(seed);
  const auto draw = [&](std::size_t count, const std::vector<int>& choices) {
    std::vector<int> values;
    while (values.size() < count) values.push_back(choices[random.choice(choices.size())]);
    return values;
  };
  const std::vector<int> kernel_sizes = draw(20, {3, 5, 7});
  const std::vector<int> expand_ratios = draw(20, {3, 4, 6});
  return arch_from_lists(space, kernel_sizes, expand_ratios, draw(5, {2, 3, 4}));
}

inline space::Arch resnet_arch(const space::SearchSpace& space, const std::vector<int>& depths,
                               const std::vector<double>& expand_ratios,
                               const std::vector<int>& widths) {
  return space::parse_arch_json(
      space, fmt::format(R"({{"d": [{}], "e": [{}], "w": [{}], "image_size": {}}})",
                         fmt::join(depths, ", "), fmt::join(expand_ratios, ", "),
                         fmt::join(widths, ", "), space.resolutions().front()));
}

/// The subnet that the reference draws from the ResNet50 space after random.seed(seed).
inline space::Arch drawn_resnet_arch(const space::SearchSpace& space, std::uint64_t seed) {
  PythonRandom random(seed);
  const std::vector<double> ratios{0.2, 0.25, 0.35};
  std::vector<double> expand_ratios;
  while (expand_ratios.size() < 18) expand_ratios.push_back(ratios[random.choice(3)]);
  std::vector<int> depths{random.choice(2) == 0 ? 2 : 0};
  while (depths.size() < 5) depths.push_back(static_cast<int>(random.choice(3)));
  std::vector<int> widths;
  while (widths.size() < 6) widths.push_back(static_cast<int>(random.choice(3)));
  return resnet_arch(space, depths, expand_ratios, widths);
}

}  // namespace omnifit::test
