#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::formats {

/// One operator of a foreign latency table, as it came: numbers keep their text, so that an export
/// gives the same bytes.
struct ForeignLatency {
  struct Field {
    std::string name;  ///< "count", "mean", "std" or "var"
    std::string text;
    friend bool operator==(const Field&, const Field&) = default;
  };
  std::string key;
  std::vector<Field> fields;  ///< in file order
  double mean_ms = 0.0;
  int line = 0;  ///< of the key in the file; 0 = unknown
  friend bool operator==(const ForeignLatency&, const ForeignLatency&) = default;
};

/// A latency table of another system: operator key → numbers, milliseconds at batch size 1. The
/// form of Once-for-All's and NSGANetV2's tables: a YAML map of maps.
struct ForeignLatencyTable {
  std::string name;  ///< of the file, without its folder
  std::vector<ForeignLatency> entries;
  friend bool operator==(const ForeignLatencyTable&, const ForeignLatencyTable&) = default;

  /// nullptr if no operator has that key. Linear; callers that ask often build their own index.
  [[nodiscard]] const ForeignLatency* find(std::string_view key) const;
};

/// Reads a table. Every entry needs a mean that is finite and positive; count must be a positive
/// integer, std and var finite and not negative.
/// @throws ConfigError with file:line:col, all errors together: not a map, duplicate or unknown
/// keys of an entry, missing mean, entries that are not numbers or out of range, an empty table.
ForeignLatencyTable read_latency_table(const std::filesystem::path& file);
/// As above from text; `file_name` is what messages name.
ForeignLatencyTable parse_latency_table(std::string_view text, const std::string& file_name);

/// The table as YAML in the layout of the released files; for those it gives their own bytes.
std::string latency_table_text(const ForeignLatencyTable& table);

}  // namespace omnifit::formats
