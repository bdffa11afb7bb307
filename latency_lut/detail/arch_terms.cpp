#include "latency_lut/detail/arch_terms.hpp"

#include "latency_lut/detail/unit_work.hpp"
#include "space/detail/slot_units.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace omnifit::latency::detail {
namespace {

/// What kinds of shapes occur in a slot; a column each.
struct SlotColumns {
  std::set<int> kernels;
  std::set<int> mids;
  std::set<int> ins;
  std::set<int> outs;
};

/// Physical columns of a unit; they carry the influence of the resolution.
constexpr Eigen::Index kNumPhysical = 4;
Eigen::RowVector4d physical(const space::LayerSpec& spec) {
  constexpr double kMillion = 1e6;
  const UnitWork work = unit_work(spec);
  return Eigen::RowVector4d(work.macs - work.depthwise_macs, work.depthwise_macs,
                            work.elements_moved, work.params) /
         kMillion;
}

template <class Set>
void put_one_hot(Eigen::MatrixXd& rows, Eigen::Index row, Eigen::Index& column, const Set& choices,
                 int value) {
  if (choices.size() < 2) return;
  const auto at = std::distance(choices.begin(), choices.find(value));
  rows(row, column + at) = 1.0;
  column += static_cast<Eigen::Index>(choices.size());
}

Eigen::Index one_hot_size(const std::set<int>& choices) {
  return choices.size() < 2 ? 0 : static_cast<Eigen::Index>(choices.size());
}

FeatureTable slot_table(const space::detail::SlotUnits& slot) {
  SlotColumns columns;
  for (const auto& unit : slot.units) {
    if (!unit) continue;
    const UnitShape shape = unit_shape(*unit);
    columns.kernels.insert(shape.kernel_size);
    columns.mids.insert(shape.mid_channels);
    columns.ins.insert(space::input_shape(*unit).channels);
    columns.outs.insert(space::output_shape(*unit).channels);
  }
  const Eigen::Index width = 1 + one_hot_size(columns.kernels) + one_hot_size(columns.mids) +
                             one_hot_size(columns.ins) + one_hot_size(columns.outs) + kNumPhysical;
  FeatureTable table{slot.genes, slot.strides,
                     Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(slot.units.size()), width),
                     kNumPhysical};
  for (std::size_t i = 0; i < slot.units.size(); ++i) {
    if (!slot.units[i]) continue;
    const space::LayerSpec& unit = *slot.units[i];
    const UnitShape shape = unit_shape(unit);
    const auto row = static_cast<Eigen::Index>(i);
    table.rows(row, 0) = 1.0;
    Eigen::Index column = 1;
    put_one_hot(table.rows, row, column, columns.kernels, shape.kernel_size);
    put_one_hot(table.rows, row, column, columns.mids, shape.mid_channels);
    put_one_hot(table.rows, row, column, columns.ins, space::input_shape(unit).channels);
    put_one_hot(table.rows, row, column, columns.outs, space::output_shape(unit).channels);
    table.rows.block<1, kNumPhysical>(row, column) = physical(unit);
  }
  return table;
}

/// One column per combination of the choices of `genes`.
FeatureTable one_hot_table(const space::SearchSpace& space, std::vector<int> genes) {
  FeatureTable table;
  table.strides.resize(genes.size());
  std::size_t size = 1;
  for (std::size_t i = genes.size(); i-- > 0;) {
    table.strides[i] = size;
    size *= space.genes()[static_cast<std::size_t>(genes[i])].choices.size();
  }
  table.genes = std::move(genes);
  table.rows =
      Eigen::MatrixXd::Identity(static_cast<Eigen::Index>(size), static_cast<Eigen::Index>(size));
  return table;
}

/// Columns of all tables together, without the shared ones.
Eigen::Index own_width(const std::vector<FeatureTable>& tables) {
  Eigen::Index width = 0;
  for (const FeatureTable& table : tables) width += table.rows.cols();
  return width;
}

Eigen::Index shared_width(const std::vector<FeatureTable>& tables) {
  Eigen::Index width = 0;
  for (const FeatureTable& table : tables) width = std::max(width, table.num_shared);
  return width;
}

Eigen::Index row_of(const FeatureTable& table, const space::Arch& arch) {
  std::size_t row = 0;
  for (std::size_t i = 0; i < table.genes.size(); ++i) {
    row += arch.choices()[static_cast<std::size_t>(table.genes[i])] * table.strides[i];
  }
  return static_cast<Eigen::Index>(row);
}

}  // namespace

std::vector<FeatureTable> feature_tables(const space::SearchSpace& space, const space::TaskIo& io) {
  std::vector<FeatureTable> tables;
  if (space.family_kind() == space::Family::kTabular) {
    const int num_genes = static_cast<int>(space.genes().size());
    for (int a = 0; a < num_genes; ++a) {
      tables.push_back(one_hot_table(space, {a}));
      for (int b = a + 1; b < num_genes; ++b) tables.push_back(one_hot_table(space, {a, b}));
    }
    return tables;
  }
  if (const auto resolution = space.find_gene(space::Axis::kResolution)) {
    tables.push_back(one_hot_table(space, {*resolution}));
  }
  for (const auto& slot : space::detail::slot_units(space, io)) tables.push_back(slot_table(slot));
  return tables;
}

Eigen::MatrixXd arch_features(const std::vector<FeatureTable>& tables,
                              std::span<const space::Arch> archs) {
  const Eigen::Index own = own_width(tables);
  const Eigen::Index shared = shared_width(tables);
  Eigen::MatrixXd x = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(archs.size()), own + shared);
  for (std::size_t i = 0; i < archs.size(); ++i) {
    const auto sample = static_cast<Eigen::Index>(i);
    Eigen::Index column = 0;
    for (const FeatureTable& table : tables) {
      const auto features = table.rows.row(row_of(table, archs[i]));
      x.row(sample).segment(column, table.rows.cols()) = features;
      x.row(sample).segment(own, table.num_shared) += features.tail(table.num_shared);
      column += table.rows.cols();
    }
  }
  return x;
}

std::vector<space::AdditiveCost::Term> weighted_terms(const std::vector<FeatureTable>& tables,
                                                      const Eigen::VectorXd& weights) {
  const Eigen::Index own = own_width(tables);
  std::vector<space::AdditiveCost::Term> terms;
  Eigen::Index column = 0;
  for (const FeatureTable& table : tables) {
    Eigen::VectorXd values = table.rows * weights.segment(column, table.rows.cols());
    values += table.rows.rightCols(table.num_shared) * weights.segment(own, table.num_shared);
    terms.push_back({table.genes, std::vector<double>(values.begin(), values.end())});
    column += table.rows.cols();
  }
  return terms;
}

}  // namespace omnifit::latency::detail
