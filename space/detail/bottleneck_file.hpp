#pragma once

#include "space/detail/space_file.hpp"

#include <string>
#include <vector>

namespace omnifit::space::detail {

/// The stem of a bottleneck space: a 3×3 convolution of stride 2, optional residual ones and a last
/// one, then a max pool. Each has batch norm.
struct BottleneckStemFile {
  std::string name = "input_stem";
  int width = 64;
  Act act = Act::kRelu;
  std::vector<int> depths{1};
  void fields(core::Fields& f);
};

/// One stage as it stands in the file: the keys of a StageConfig and their checks.
struct BottleneckStageFile {
  StageConfig config{.width = 64, .stride = 1, .depths = {2}, .expand_ratios = {0.25}};
  void fields(core::Fields& f);
};

/// A whole file of a bottleneck space, as SpaceFile is of an mbconv space.
struct BottleneckFile {
  std::string name;
  int version = 1;
  Family family = Family::kBottleneck;
  std::vector<int> resolutions;
  std::vector<double> width_mults{1.0};
  BatchNormFile batch_norm;
  double dropout_prob = 0.0;
  BottleneckStemFile stem;
  std::vector<BottleneckStageFile> stages;

  void fields(core::Fields& f);
};

}  // namespace omnifit::space::detail
