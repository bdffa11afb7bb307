#include "space/cell_graph.hpp"

#include "core/error.hpp"

#include <algorithm>

namespace omnifit::space {

namespace {

/// All ways from `node` to `last`; nodes along an edge ascend, so none is endless.
void walk(const CellGraph& graph, int node, int last, std::vector<int>& path,
          std::vector<std::vector<int>>& paths) {
  if (node == last) {
    paths.push_back(path);
    return;
  }
  for (std::size_t gene = 0; gene < graph.edges.size(); ++gene) {
    if (graph.edges[gene].from != node) continue;
    path.push_back(static_cast<int>(gene));
    walk(graph, graph.edges[gene].to, last, path, paths);
    path.pop_back();
  }
}

}  // namespace

CellFeatures::CellFeatures(const SearchSpace& space) {
  OMNIFIT_CHECK(space.cell_graph().has_value(), "space {} has no graph", space.name());
  const CellGraph& graph = *space.cell_graph();
  operations_.push_back(graph.cut);
  for (const Gene& gene : space.genes()) {
    std::vector<std::size_t>& indices = ops_.emplace_back();
    for (const std::string& label : gene.labels) {
      const auto known = std::ranges::find(operations_, label);
      indices.push_back(static_cast<std::size_t>(known - operations_.begin()));
      if (known == operations_.end()) operations_.push_back(label);
    }
  }
  const auto pass = std::ranges::find(operations_, graph.pass);
  if (pass != operations_.end()) pass_ = static_cast<std::size_t>(pass - operations_.begin());
  int last = 0;
  for (const CellEdge& edge : graph.edges) last = std::max(last, edge.to);
  std::vector<int> path;
  walk(graph, 0, last, path, paths_);
  for (const auto& each : paths_) longest_path_ = std::max(longest_path_, each.size());

  for (std::size_t op = 1; op < operations_.size(); ++op)
    names_.push_back("live " + operations_[op]);
  names_.emplace_back("dead");
  for (std::size_t op = 1; op < operations_.size(); ++op) {
    names_.push_back("most " + operations_[op]);
    names_.push_back("all " + operations_[op]);
  }
  names_.emplace_back("paths");
  names_.emplace_back("depth");
}

void CellFeatures::encode(const Arch& arch, std::span<double> row) const {
  const std::size_t num_ops = operations_.size();
  std::vector<bool> live(ops_.size(), false);
  std::vector<double> most(num_ops, 0.0);
  std::vector<double> all(num_ops, 0.0);
  double num_paths = 0.0;
  double depth = 0.0;
  for (const auto& path : paths_) {
    std::vector<double> on_path(num_ops, 0.0);
    for (const int gene : path)
      on_path[ops_[static_cast<std::size_t>(gene)][static_cast<std::size_t>(arch.choice(gene))]] +=
          1.0;
    if (on_path[0] > 0.0) continue;
    for (const int gene : path) live[static_cast<std::size_t>(gene)] = true;
    num_paths += 1.0;
    for (std::size_t op = 0; op < num_ops; ++op) {
      most[op] = std::max(most[op], on_path[op]);
      all[op] += on_path[op];
    }
    depth = std::max(depth, static_cast<double>(path.size()) - (pass_ > 0 ? on_path[pass_] : 0.0));
  }
  std::vector<double> num_live(num_ops, 0.0);
  for (std::size_t gene = 0; gene < ops_.size(); ++gene) {
    const auto choice = static_cast<std::size_t>(arch.choice(static_cast<int>(gene)));
    num_live[live[gene] ? ops_[gene][choice] : 0] += 1.0;
  }
  const auto num_edges = static_cast<double>(ops_.size());
  const auto longest = static_cast<double>(longest_path_);
  const auto of_paths = static_cast<double>(paths_.size());
  std::size_t column = 0;
  for (std::size_t op = 1; op < num_ops; ++op) row[column++] = num_live[op] / num_edges;
  row[column++] = num_live[0] / num_edges;
  for (std::size_t op = 1; op < num_ops; ++op) {
    row[column++] = most[op] / longest;
    row[column++] = all[op] / (longest * of_paths);
  }
  row[column++] = num_paths / of_paths;
  row[column++] = depth / longest;
}

}  // namespace omnifit::space
