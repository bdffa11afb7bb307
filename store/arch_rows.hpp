#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace SQLite {
class Database;
}

namespace omnifit::store {

/// Rows that several modules refer to. Each returns the id of the existing or new row; call inside
/// Database::write.

struct SpaceRow {
  std::string fingerprint;
  std::string name;
  int version = 1;
  std::string family;
  std::string yaml;
};
std::int64_t put_space(SQLite::Database& sql, const SpaceRow& row);
/// Id of the space with that fingerprint; nullopt if the project has none. Inside Database::read.
std::optional<std::int64_t> find_space(SQLite::Database& sql, const std::string& fingerprint);

struct ArchRow {
  std::int64_t space_id = 0;
  int in_channels = 0;
  int num_classes = 0;
  std::string text;
  std::string json;
  // Of an arch without layers nothing of this is known but what its tables say.
  std::optional<int> resolution_px{};
  std::optional<std::int64_t> macs{};
  std::optional<std::int64_t> params{};
  std::optional<std::int64_t> peak_memory_bytes{};
  std::optional<std::int64_t> model_bytes{};
};
std::int64_t put_arch(SQLite::Database& sql, const ArchRow& row);

}  // namespace omnifit::store
