#pragma once

#include <string>
#include <vector>

namespace omnifit::space {

/// A figure that the files of a tabular space hold for every arch.
struct TabularMetric {
  std::string name;       ///< "cifar10_top1": how searches call it
  std::string column;     ///< of the CSV file
  bool maximise = false;  ///< accuracies are maximised, costs are minimised
  double factor = 1.0;    ///< value = number in the file × factor, e.g. 0.01 for percent
  std::string unit;       ///< of the value: "fraction", "ms"
};

/// One CSV file of a tabular space and how its rows name archs.
struct TabularFile {
  std::string file;  ///< relative to the folder of the data
  /// Column that holds a whole arch, spelt as `arch_pattern` says; empty: one column per gene, with
  /// the gene's name.
  std::string arch_column;
  /// "|{edge_0_1}~0|+|{edge_0_2}~0|…": every gene's name in braces, once.
  std::string arch_pattern;
  /// Not of the first file: rows name no arch but that of the first file's row with an equal text
  /// in the column of this name.
  std::string join_on;
  std::vector<TabularMetric> metrics;
};

/// Nodes that an operation leads from and to; `from` < `to`.
struct CellEdge {
  int from = 0;
  int to = 1;
};

/// A tabular space whose genes are the operations on the edges of a small graph.
struct CellGraph {
  std::vector<CellEdge> edges;  ///< per gene
  std::string cut;              ///< the choice that lets nothing through
  std::string pass;             ///< the choice that changes nothing; empty: there is none
};

}  // namespace omnifit::space
