#pragma once

#include "core/fields.hpp"
#include "space/search_space.hpp"
#include "space/tabular_config.hpp"

#include <string>
#include <vector>

namespace omnifit::space::detail {

/// One categorical gene as it stands in the file.
struct CategoryFile {
  std::string name;
  std::vector<std::string> choices;
  void fields(core::Fields& f);
};

/// One metric as it stands in the file.
struct TabularMetricFile {
  TabularMetric config;
  void fields(core::Fields& f);
};

/// One CSV file as it stands in the file.
struct TabularTableFile {
  TabularFile config;
  std::vector<TabularMetricFile> metrics;
  void fields(core::Fields& f);
};

/// A whole file of a tabular space, as SpaceFile is of an mbconv space.
struct TabularSpaceFile {
  std::string name;
  int version = 1;
  Family family = Family::kTabular;
  std::vector<CategoryFile> genes;
  std::vector<TabularTableFile> tables;

  void fields(core::Fields& f);

 private:
  void check(core::Fields& f) const;
  void check_patterns(core::Fields& f) const;
};

}  // namespace omnifit::space::detail
