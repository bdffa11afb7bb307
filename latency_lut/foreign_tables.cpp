#include "latency_lut/foreign_tables.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "space/lower.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

namespace omnifit::latency {
namespace {

using formats::ForeignLatency;
using formats::ForeignLatencyTable;
using formats::LatencyDialect;

/// Every distinct unit of the space at each resolution it occurs in.
std::vector<std::pair<space::LayerSpec, int>> units_by_resolution(const space::SearchSpace& space,
                                                                  const space::TaskIo& io) {
  std::vector<std::pair<space::LayerSpec, int>> units;
  space::AdditiveCost::compile_by_resolution(space, io,
                                             [&](const space::LayerSpec& spec, int resolution_px) {
                                               units.emplace_back(spec, resolution_px);
                                               return std::optional(0.0);
                                             });
  return units;
}

/// The first layer of each resolution's networks.
std::map<int, space::LayerSpec> first_units(const space::SearchSpace& space,
                                            const space::TaskIo& io) {
  std::map<int, space::LayerSpec> units;
  space::AdditiveCost::compile_by_resolution(
      space, io, [&](const space::LayerSpec& spec, int resolution_px) {
        if (space::input_shape(spec) == space::FeatureShape{io.in_channels, resolution_px}) {
          units.try_emplace(resolution_px, spec);
        }
        return std::optional(0.0);
      });
  return units;
}

std::string example_keys(const std::vector<ForeignLatencyTable>& tables,
                         const space::SearchSpace& space, const space::TaskIo& io) {
  std::string text = fmt::format("the first key is '{}'", tables.front().entries.front().key);
  const auto units = units_by_resolution(space, io);
  for (const LatencyDialect dialect : formats::latency_dialects()) {
    const auto key = formats::foreign_latency_key(dialect, units.front().first, io);
    if (!key || key->key.empty()) continue;
    text += fmt::format(", {} would write '{}'", formats::latency_dialect_name(dialect), key->key);
  }
  return text;
}

}  // namespace

ForeignTables::ForeignTables(std::vector<ForeignLatencyTable> tables, LatencyDialect dialect)
    : tables_(std::move(tables)), dialect_(dialect) {
  if (tables_.empty()) throw std::invalid_argument("a device needs at least one latency table");
  for (const ForeignLatencyTable& table : tables_) {
    auto& index = index_.emplace_back();
    for (std::size_t i = 0; i < table.entries.size(); ++i) {
      index.emplace(table.entries[i].key, Entry{table.entries[i].mean_ms, i});
    }
  }
}

LatencyDialect ForeignTables::detect_dialect(const std::vector<ForeignLatencyTable>& tables,
                                             const space::SearchSpace& space,
                                             const space::TaskIo& io) {
  std::set<std::string> keys;
  for (const ForeignLatencyTable& table : tables) {
    for (const ForeignLatency& entry : table.entries) keys.insert(entry.key);
  }
  const auto units = units_by_resolution(space, io);
  std::size_t most = 0;
  LatencyDialect best = LatencyDialect::kOnceForAll;
  for (const LatencyDialect dialect : formats::latency_dialects()) {
    const auto known = [&](const auto& unit) {
      const auto key = formats::foreign_latency_key(dialect, unit.first, io);
      return key && !key->key.empty() && keys.count(key->key) > 0;
    };
    const auto num_known =
        static_cast<std::size_t>(std::count_if(units.begin(), units.end(), known));
    if (num_known <= most) continue;
    most = num_known;
    best = dialect;
  }
  if (most == 0) {
    throw StateError(fmt::format(
        "{}: none of its {} keys is a unit of space '{}' (width {}): {}; the table is of another "
        "space or width",
        tables.front().name, keys.size(), space.name(), space.width_mult(),
        example_keys(tables, space, io)));
  }
  return best;
}

std::optional<std::size_t> ForeignTables::table_with(const std::string& first_key) const {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < index_.size(); ++i) {
    if (index_[i].count(first_key) == 0) continue;
    if (found) {
      throw StateError(
          fmt::format("tables '{}' and '{}' both have '{}': a device has one table per resolution",
                      tables_[*found].name, tables_[i].name, first_key));
    }
    found = i;
  }
  return found;
}

std::map<int, std::size_t> ForeignTables::table_of_resolution(const space::SearchSpace& space,
                                                              const space::TaskIo& io) const {
  std::map<int, std::size_t> tables;
  for (const auto& [resolution_px, spec] : first_units(space, io)) {
    const auto key = formats::foreign_latency_key(dialect_, spec, io);
    if (!key) continue;
    if (const auto table = table_with(key->key)) tables[resolution_px] = *table;
  }
  if (tables.empty()) {
    throw StateError(fmt::format(
        "{}: no table is of a resolution of space '{}' (width {}): {}; the table is of another "
        "space, width or resolution",
        tables_.front().name, space.name(), space.width_mult(), example_keys(tables_, space, io)));
  }
  return tables;
}

std::optional<double> ForeignTables::unit_ms(const space::LayerSpec& spec, const space::TaskIo& io,
                                             std::size_t table) const {
  const auto key = formats::foreign_latency_key(dialect_, spec, io);
  if (!key) return std::nullopt;
  if (key->key.empty()) return 0.0;
  const auto found = index_[table].find(key->key);
  if (found == index_[table].end()) return std::nullopt;
  return found->second.mean_ms;
}

ForeignTables::Match ForeignTables::match(const space::SearchSpace& space,
                                          const space::TaskIo& io) const {
  const std::map<int, std::size_t> table_at = table_of_resolution(space, io);
  Match match;
  for (const auto& [resolution_px, table] : table_at) match.resolutions_px.push_back(resolution_px);
  std::vector<std::set<std::size_t>> used(tables_.size());
  std::set<space::LayerSpec> missing;
  for (const auto& [spec, resolution_px] : units_by_resolution(space, io)) {
    const auto at = table_at.find(resolution_px);
    if (at == table_at.end()) continue;
    const std::size_t table = at->second;
    const auto key = formats::foreign_latency_key(dialect_, spec, io);
    if (key && key->key.empty()) continue;
    const auto found = key ? index_[table].find(key->key) : index_[table].end();
    if (found == index_[table].end()) {
      if (missing.insert(spec).second) match.missing.push_back(spec);
      continue;
    }
    used[table].insert(found->second.position);
    match.units.push_back({spec, resolution_px, table, found->second.mean_ms});
  }
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    match.num_keys += tables_[t].entries.size();
    for (std::size_t i = 0; i < tables_[t].entries.size(); ++i) {
      if (used[t].count(i) > 0) continue;
      match.unknown_keys.push_back(tables_[t].name + ": " + tables_[t].entries[i].key);
    }
  }
  return match;
}

std::optional<double> ForeignTables::estimate_ms(const space::NetworkPlan& plan,
                                                 std::vector<space::LayerSpec>* missing) const {
  const auto first = formats::foreign_latency_key(dialect_, plan.units.front().spec, plan.io);
  const auto table = first ? table_with(first->key) : std::nullopt;
  if (!table) {
    if (missing != nullptr) missing->push_back(plan.units.front().spec);
    return std::nullopt;
  }
  double sum_ms = 0.0;
  bool complete = true;
  for (const space::PlanUnit& unit : plan.units) {
    if (const auto time_ms = unit_ms(unit.spec, plan.io, *table)) {
      sum_ms += *time_ms;
      continue;
    }
    complete = false;
    const bool report = missing != nullptr &&
                        std::find(missing->begin(), missing->end(), unit.spec) == missing->end();
    if (report) missing->push_back(unit.spec);
  }
  return complete ? std::optional(sum_ms) : std::nullopt;
}

space::AdditiveCost ForeignTables::compile(const space::SearchSpace& space,
                                           const space::TaskIo& io) const {
  const std::map<int, std::size_t> table_at = table_of_resolution(space, io);
  return space::AdditiveCost::compile_by_resolution(
      space, io, [&](const space::LayerSpec& spec, int resolution_px) -> std::optional<double> {
        const auto at = table_at.find(resolution_px);
        return at == table_at.end() ? std::nullopt : unit_ms(spec, io, at->second);
      });
}

std::uint64_t ForeignTables::hash() const {
  std::string text = formats::latency_dialect_name(dialect_) + "\n";
  for (const ForeignLatencyTable& table : tables_) {
    text += table.name + "\n" + formats::latency_table_text(table);
  }
  return core::stable_hash(text);
}

}  // namespace omnifit::latency
