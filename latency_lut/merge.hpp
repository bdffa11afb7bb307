#pragma once

#include "store/database.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace omnifit::latency {

/// What a merge did with the rows of one table.
struct MergeCount {
  std::int64_t added = 0;
  std::int64_t same = 0;         ///< were there already
  std::int64_t conflicting = 0;  ///< other values are there and stay, or do not go with them
};

struct MergeReport {
  std::map<std::string, MergeCount> tables;
  std::vector<std::string> conflicts;  ///< the first ones, for people
  [[nodiscard]] std::int64_t num_conflicts() const;
};

/// Conflicts that are described; the rest is counted.
inline constexpr int kMaxConflictsShown = 10;

/// Brings the devices of another project file into this one: what was measured on them, unit by
/// unit and as whole networks, the tables and timings that were imported for them, and the models
/// of their finished profiles and of imported timings, so that a job with the same device and
/// profile finds its profile done. Rows are found by their natural keys; where both files have a
/// row with other values, this project's stays. A table of another system comes in whole or not at
/// all, and only in the dialect of those that the device has here. All of it in one transaction; a
/// second merge of the same file changes nothing.
/// @throws StateError if both are the same file; DataError if the other one is no project file or
/// of another format, or if it was measured on spaces this project does not have while it has
/// others.
MergeReport merge_devices(store::Database& project, const store::Database& other);

}  // namespace omnifit::latency
