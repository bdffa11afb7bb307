#include "space/detail/tabular_file.hpp"

#include "space/detail/arch_pattern.hpp"
#include "space/detail/file_checks.hpp"

#include <algorithm>
#include <set>

namespace omnifit::space::detail {

namespace {

constexpr double kMaxFactor = 1e12;
constexpr int kMaxNodes = 64;
/// Paths through a graph are listed one by one.
constexpr double kMaxPaths = 10'000;

/// Ways from the first to the last node; nodes ascend along an edge.
double num_paths(const std::vector<CategoryFile>& genes) {
  std::vector<double> ways(kMaxNodes, 0.0);
  ways[0] = 1.0;
  int last = 0;
  for (int node = 0; node < kMaxNodes; ++node) {
    for (const CategoryFile& gene : genes) {
      if (gene.edge[0] == node)
        ways[static_cast<std::size_t>(gene.edge[1])] += ways[static_cast<std::size_t>(node)];
      last = std::max(last, gene.edge[1]);
    }
  }
  return ways[static_cast<std::size_t>(last)];
}

/// Reports names of a list that repeat.
void check_distinct(core::Fields& f, std::string_view key, const std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) {
      f.error(key, fmt::format("names must be distinct, found '{}' twice", name));
      return;
    }
  }
}

}  // namespace

void CategoryFile::fields(core::Fields& f) {
  f.text("name", name, "of the gene, stands in arch texts");
  check_identifier(f, "name", name);
  f.integers("edge", edge, {0, kMaxNodes - 1}, "of a graph: the nodes it leads from and to");
  f.texts("choices", choices, "its values, from small to large where that means something");
  if (!f.reading()) return;
  if (choices.size() < 2 || choices.size() > kMaxChoices) {
    f.error("choices",
            fmt::format("found {} choices, allowed are 2 to {}", choices.size(), kMaxChoices));
  }
  for (const std::string& choice : choices) check_identifier(f, "choices", choice);
  check_distinct(f, "choices", choices);
}

void CellGraphFile::fields(core::Fields& f) {
  f.text("cut", cut, "choice that lets nothing through", true);
  f.text("pass", pass, "choice that changes nothing; empty: none");
  if (f.reading() && !f.has("cut")) f.error("cut", "missing");
}

void TabularMetricFile::fields(core::Fields& f) {
  f.text("name", config.name, "how searches call it");
  check_identifier(f, "name", config.name);
  f.text("column", config.column, "of the CSV file", true);
  f.boolean("maximise", config.maximise, "whether more is better");
  f.real("factor", config.factor, {0.0, kMaxFactor, true}, "value = number in the file × factor");
  f.text("unit", config.unit, "of the value: fraction, ms", true);
  for (const char* key : {"column", "unit"}) {
    if (f.reading() && !f.has(key)) f.error(key, "missing");
  }
}

void TabularTableFile::fields(core::Fields& f) {
  f.text("file", config.file, "CSV file, relative to the folder of the data", true);
  f.text("arch_column", config.arch_column, "holds a whole arch; empty: one column per gene");
  f.text("arch_pattern", config.arch_pattern, "how it spells an arch: genes' names in braces");
  f.text("join_on", config.join_on, "column in common with the first file that names its archs");
  f.sections("metrics", metrics, "columns with figures");
  if (!f.reading()) return;
  if (!f.has("file")) f.error("file", "missing");
  if (config.arch_column.empty() != config.arch_pattern.empty()) {
    f.error(config.arch_column.empty() ? "arch_pattern" : "arch_column",
            "arch_column and arch_pattern go together");
  }
  if (!config.join_on.empty() && !config.arch_column.empty()) {
    f.error("join_on",
            "a file that is joined takes its archs from the first file; leave out "
            "arch_column");
  }
  if (metrics.empty()) f.error("metrics", "needs at least one metric, found none");
  config.metrics.clear();
  for (const TabularMetricFile& metric : metrics) config.metrics.push_back(metric.config);
}

void TabularSpaceFile::fields(core::Fields& f) {
  f.text("name", name, "of the space, stands in arch texts");
  check_identifier(f, "name", name);
  f.integer("version", version, {1, 1'000'000}, "raised when the meaning of archs changes");
  f.choice("family", family, family_table(), "kind of network");
  f.optional_section("graph", graph, "the genes are edges of a graph from node 0 to the last");
  f.sections("genes", genes, "categorical genes");
  f.sections("tables", tables, "CSV files with the figures of every arch");
  if (f.reading()) check(f);
}

void TabularSpaceFile::check(core::Fields& f) const {
  if (genes.empty()) f.error("genes", "needs at least one gene, found none");
  std::vector<std::string> names;
  for (const CategoryFile& gene : genes) names.push_back(gene.name);
  check_distinct(f, "genes", names);
  if (tables.empty()) {
    f.error("tables", "needs at least one file, found none");
    return;
  }
  if (!tables.front().config.join_on.empty()) {
    f.error("tables", "the first file names the archs; it cannot have join_on");
  }
  std::vector<std::string> metrics;
  for (const TabularTableFile& table : tables) {
    for (const TabularMetric& metric : table.config.metrics) metrics.push_back(metric.name);
  }
  check_distinct(f, "tables", metrics);
  check_patterns(f);
  check_graph(f);
}

void TabularSpaceFile::check_graph(core::Fields& f) const {
  for (const CategoryFile& gene : genes) {
    if (!graph && gene.edge.empty()) continue;
    if (!graph) return f.error("graph", fmt::format("missing, but '{}' is an edge", gene.name));
    if (gene.edge.size() != 2 || gene.edge[0] >= gene.edge[1]) {
      return f.error("genes", fmt::format("edge of '{}' must be two ascending nodes", gene.name));
    }
    if (std::ranges::find(gene.choices, graph->cut) == gene.choices.end()) {
      return f.error("graph", fmt::format("'{}' has no choice '{}'", gene.name, graph->cut));
    }
  }
  if (!graph || genes.empty()) return;
  const double paths = num_paths(genes);
  if (paths < 1.0 || paths > kMaxPaths) {
    f.error("graph", fmt::format("has {} paths from node 0 to the last, allowed are 1 to {}", paths,
                                 kMaxPaths));
  }
}

void TabularSpaceFile::check_patterns(core::Fields& f) const {
  std::vector<std::string> names;
  for (const CategoryFile& gene : genes) names.push_back(gene.name);
  for (const TabularTableFile& table : tables) {
    const std::string& text = table.config.arch_pattern;
    if (text.empty()) continue;
    const auto pattern = ArchPattern::compile(text, names);
    if (const auto* problem = std::get_if<std::string>(&pattern)) {
      f.error("tables", fmt::format("arch_pattern '{}': {}", text, *problem));
    }
  }
}

}  // namespace omnifit::space::detail
