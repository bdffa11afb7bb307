#include "cli/tabular_view.hpp"

#include "core/hash.hpp"
#include "core/table.hpp"
#include "space/sampling.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace omnifit::cli {
namespace {

using core::Align;

/// Figures of an arch, NaN where there are none.
std::vector<double> figures(const space::TabularData& data, const space::Arch& arch) {
  const auto row = data.find(arch);
  if (!row) return std::vector<double>(data.metrics().size(), std::nan(""));
  return {row->begin(), row->end()};
}

nlohmann::ordered_json json_of(const space::SearchSpace& space,
                               const std::optional<space::TabularData>& data,
                               const space::Arch& arch) {
  nlohmann::ordered_json json{{"arch", nlohmann::ordered_json::parse(space::to_json(space, arch))}};
  if (!data) return json;
  const std::vector<double> values = figures(*data, arch);
  // A NaN becomes null.
  for (std::size_t i = 0; i < values.size(); ++i)
    json["metrics"][data->metrics()[i].name] = values[i];
  return json;
}

}  // namespace

void print_tabular_overview(const space::SearchSpace& space,
                            const std::optional<space::TabularData>& data) {
  std::printf("%s, version %d, family %s, fingerprint %s\n", space.name().c_str(), space.version(),
              space.family().c_str(), core::hex64(space.fingerprint()).c_str());
  std::printf("%s archs, %zu genes\n\n", space::to_string(space::cardinality(space)).c_str(),
              space.genes().size());
  core::TextTable genes({{"gene"}, {"choices"}});
  for (const space::Gene& gene : space.genes())
    genes.add_row({gene.name, fmt::format("{}", fmt::join(gene.labels, " "))});
  std::fputs((genes.str() + "\n").c_str(), stdout);
  core::TextTable metrics({{"metric"}, {"unit"}, {"better"}, {"file"}});
  for (const space::TabularFile& file : space.tables()) {
    for (const space::TabularMetric& metric : file.metrics)
      metrics.add_row({metric.name, metric.unit, metric.maximise ? "more" : "less", file.file});
  }
  std::fputs(metrics.str().c_str(), stdout);
  if (!data) return;
  std::printf("\n%zu archs in the tables; %s of the space lack figures and cannot be evaluated\n",
              data->archs().size(), space::to_string(data->num_incomplete()).c_str());
}

void print_tabular_archs(const space::SearchSpace& space,
                         const std::optional<space::TabularData>& data,
                         std::span<const space::Arch> archs, bool json) {
  if (json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const space::Arch& arch : archs) list.push_back(json_of(space, data, arch));
    std::printf("%s\n", list.dump(2).c_str());
    return;
  }
  std::vector<core::TextTable::Column> columns{{"arch"}};
  if (data) {
    for (const space::TabularMetric& metric : data->metrics())
      columns.push_back({metric.name, Align::kRight});
  }
  core::TextTable table(std::move(columns));
  for (const space::Arch& arch : archs) {
    std::vector<std::string> cells{space::to_text(space, arch)};
    if (data) {
      for (const double value : figures(*data, arch))
        cells.push_back(std::isnan(value) ? "-" : fmt::format("{:.6g}", value));
    }
    table.add_row(std::move(cells));
  }
  std::fputs(table.str().c_str(), stdout);
}

}  // namespace omnifit::cli
