#pragma once

#include "core/fields.hpp"
#include "space/search_space.hpp"

#include <string>
#include <vector>

namespace omnifit::space::detail {

/// One stage as it stands in the file: the keys of a StageConfig and their checks.
struct StageFile {
  StageConfig config;
  void fields(core::Fields& f);
};

/// The stem: a convolution that always has batch norm and runs on the image.
struct StemFile {
  ConvConfig config{.name = "first_conv", .width = 16, .kernel_size = 3, .stride = 1};
  void fields(core::Fields& f);
};

/// A convolution of the head: stride 1; before or after the global pool.
struct HeadFile {
  ConvConfig config;
  void fields(core::Fields& f);
};

struct BatchNormFile {
  BatchNormConfig config;
  void fields(core::Fields& f);
};

/// A whole file of an mbconv space. Reading checks every field and how the parts fit together;
/// writing gives the canonical form, with every key in a fixed order.
struct SpaceFile {
  std::string name;
  int version = 1;
  Family family = Family::kMbConv;
  std::vector<int> resolutions;
  double width_mult = 1.0;
  BatchNormFile batch_norm;
  double dropout_prob = 0.0;
  StemFile stem;
  std::vector<StageFile> stages;
  std::vector<HeadFile> head;

  void fields(core::Fields& f);

 private:
  void check(core::Fields& f) const;
  void check_names(core::Fields& f) const;
  void check_head_order(core::Fields& f) const;
};

}  // namespace omnifit::space::detail
