#pragma once

#include "core/fields.hpp"
#include "space/search_space.hpp"
#include "space/tabular_config.hpp"

#include <optional>
#include <string>
#include <vector>

namespace omnifit::space::detail {

/// One categorical gene as it stands in the file.
struct CategoryFile {
  std::string name;
  std::vector<int> edge;  ///< from, to; empty where the space has no graph
  std::vector<std::string> choices;
  void fields(core::Fields& f);
};

/// What the edges of a cell mean.
struct CellGraphFile {
  std::string cut;
  std::string pass;
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
  std::optional<CellGraphFile> graph;
  std::vector<CategoryFile> genes;
  std::vector<TabularTableFile> tables;

  void fields(core::Fields& f);

 private:
  void check(core::Fields& f) const;
  void check_patterns(core::Fields& f) const;
  void check_graph(core::Fields& f) const;
};

}  // namespace omnifit::space::detail
