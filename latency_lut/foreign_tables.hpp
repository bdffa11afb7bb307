#pragma once

#include "formats/latency_dialect.hpp"
#include "formats/latency_table_file.hpp"
#include "space/additive_cost.hpp"
#include "space/plan.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::latency {

/// The latency tables of one device as another system left them.
///
/// A network of resolution R is estimated from the one table that holds the first layer of R, and
/// from no other: released tables time the same operator anew for every resolution. Estimates are
/// the plain sum. Immutable; thread-safe.
class ForeignTables {
 public:
  /// @throws std::invalid_argument without tables.
  ForeignTables(std::vector<formats::ForeignLatencyTable> tables, formats::LatencyDialect dialect);

  /// The dialect that has a key for most units of the space. @throws StateError if none has one for
  /// any: the tables are of another space; names a key of the tables and one of the space.
  static formats::LatencyDialect detect_dialect(
      const std::vector<formats::ForeignLatencyTable>& tables, const space::SearchSpace& space,
      const space::TaskIo& io);

  [[nodiscard]] const std::vector<formats::ForeignLatencyTable>& tables() const { return tables_; }
  [[nodiscard]] formats::LatencyDialect dialect() const { return dialect_; }

  /// A unit of the space with its number.
  struct Unit {
    space::LayerSpec spec;
    int resolution_px = 0;
    std::size_t table = 0;  ///< index into tables()
    double mean_ms = 0.0;
  };
  /// How tables and space fit together.
  struct Match {
    std::vector<Unit> units;          ///< every unit with a key of its own, once per resolution
    std::vector<int> resolutions_px;  ///< that a table is of, ascending
    std::vector<space::LayerSpec> missing;  ///< units at those resolutions without a number
    std::vector<std::string> unknown_keys;  ///< "TABLE: KEY" that no unit of the space has
    std::size_t num_keys = 0;               ///< entries of all tables
  };
  /// @throws StateError if two tables are of one resolution, or none is of any of the space's.
  [[nodiscard]] Match match(const space::SearchSpace& space, const space::TaskIo& io) const;

  /// Sum over the plan's units [ms]; nullopt if one has no number (appended once to `missing`).
  [[nodiscard]] std::optional<double> estimate_ms(
      const space::NetworkPlan& plan, std::vector<space::LayerSpec>* missing = nullptr) const;

  /// The estimate of every arch as gene-indexed tables. Archs of a resolution without a table, or
  /// with a unit that nobody measured, evaluate to NaN. @throws StateError as match().
  [[nodiscard]] space::AdditiveCost compile(const space::SearchSpace& space,
                                            const space::TaskIo& io) const;

  /// Stable hash of every key and number.
  [[nodiscard]] std::uint64_t hash() const;

 private:
  struct Entry {
    double mean_ms = 0.0;
    std::size_t position = 0;
  };
  [[nodiscard]] std::optional<std::size_t> table_with(const std::string& first_key) const;
  /// Table of each resolution of the space that has one.
  [[nodiscard]] std::map<int, std::size_t> table_of_resolution(const space::SearchSpace& space,
                                                               const space::TaskIo& io) const;
  [[nodiscard]] std::optional<double> unit_ms(const space::LayerSpec& spec, const space::TaskIo& io,
                                              std::size_t table) const;

  std::vector<formats::ForeignLatencyTable> tables_;
  formats::LatencyDialect dialect_;
  std::vector<std::map<std::string, Entry>> index_;  ///< of each table
};

}  // namespace omnifit::latency
