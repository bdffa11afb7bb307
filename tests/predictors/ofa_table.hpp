#pragma once

#include "core/file_io.hpp"
#include "core/node.hpp"
#include "space/arch.hpp"
#include "space/search_space.hpp"

#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace omnifit::test {

/// MobileNetV3 at width 1.0 and 224 pixels, as the table below searched it.
inline space::SearchSpace ofa_space() {
  core::Node root =
      core::load_yaml(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space/ofa_mbv3.yaml");
  core::apply_override(root, "resolutions=[224]");
  return space::SearchSpace::from_yaml(root);
}

struct AccuracyTable {
  std::vector<space::Arch> archs;
  std::vector<double> top1;  ///< fractions
  std::vector<std::int64_t> params;
  std::vector<std::int64_t> macs;
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
    table.params.push_back(std::stoll(row.at(5)));
    table.macs.push_back(std::stoll(row.at(6)));
    table.top1.push_back(std::stod(row.at(7)) / 100.0);
  }
  return table;
}

}  // namespace omnifit::test
