#pragma once

#include "core/file_io.hpp"
#include "core/node.hpp"
#include "space/arch.hpp"
#include "space/search_space.hpp"

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace omnifit::test {

/// MobileNetV3 at width 1.0 and 224 pixels, as the table below searched it.
inline space::SearchSpace ofa_space() {
  return space::SearchSpace::from_yaml(core::parse_yaml(R"(
name: ofa_mbv3_w10_r224
version: 1
family: mbconv
resolutions: [224]
stem: {name: first_conv, width: 16, kernel_size: 3, stride: 2, act: h_swish}
stages:
  - {width: 16, stride: 1, act: relu, depth: [1], kernel_size: [3], expand_ratio: [1]}
  - {width: 24, stride: 2, act: relu, depth: [2, 3, 4], kernel_size: [3, 5, 7], expand_ratio: [3, 4, 6]}
  - {width: 40, stride: 2, act: relu, squeeze_excite: true, depth: [2, 3, 4], kernel_size: [3, 5, 7], expand_ratio: [3, 4, 6]}
  - {width: 80, stride: 2, act: h_swish, depth: [2, 3, 4], kernel_size: [3, 5, 7], expand_ratio: [3, 4, 6]}
  - {width: 112, stride: 1, act: h_swish, squeeze_excite: true, depth: [2, 3, 4], kernel_size: [3, 5, 7], expand_ratio: [3, 4, 6]}
  - {width: 160, stride: 2, act: h_swish, squeeze_excite: true, depth: [2, 3, 4], kernel_size: [3, 5, 7], expand_ratio: [3, 4, 6]}
head:
  - {name: final_expand_layer, width: 960, kernel_size: 1, act: h_swish}
  - {name: feature_mix_layer, width: 1280, kernel_size: 1, act: h_swish, batch_norm: false, after_pool: true}
)",
                                                        "ofa.yaml"));
}

struct AccuracyTable {
  std::vector<space::Arch> archs;
  std::vector<double> top1;  ///< fractions
};

/// Reads search_run,ks,e,d,r,params,macs,imagenet_top1 with lists separated by spaces.
inline AccuracyTable read_accuracy_table(const space::SearchSpace& space,
                                         const std::filesystem::path& file) {
  const auto json_list = [](std::string text) {
    for (char& c : text) c = c == ' ' ? ',' : c;
    return "[" + text + "]";
  };
  std::istringstream lines(core::read_text_file(file));
  std::string line;
  std::getline(lines, line);
  AccuracyTable table;
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::vector<std::string> row;
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
    table.archs.push_back(space::parse_arch_json(
        space, R"({"ks":)" + json_list(row.at(1)) + R"(,"e":)" + json_list(row.at(2)) + R"(,"d":)" +
                   json_list(row.at(3)) + R"(,"image_size":)" + row.at(4) + "}"));
    table.top1.push_back(std::stod(row.at(7)) / 100.0);
  }
  return table;
}

}  // namespace omnifit::test
