#pragma once

#include "exporters/export_bundle.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace SQLite {
class Database;
}

namespace omnifit::exporters {

/// A row of the table `export` with the text of its arch.
struct ExportRow {
  std::int64_t id = 0;
  std::string budget;
  std::int64_t arch_id = 0;
  std::string arch_text;
  std::string format;
  std::filesystem::path path;  ///< relative to the project file
  std::uint64_t size_bytes = 0;
  std::string sha256;
  Proof proof;
};

/// Stores the files of one budget's winner; what the same stage run stored for that budget before
/// is replaced. Paths are made relative to `project_folder`. Call inside Database::write.
/// @pre no proof has failed
void put_exports(SQLite::Database& sql, const std::filesystem::path& project_folder,
                 std::int64_t stage_run_id, const std::string& budget, std::int64_t arch_id,
                 std::span<const ExportedFile> files);

/// All rows of a stage run in the order they were stored.
std::vector<ExportRow> exports(SQLite::Database& sql, std::int64_t stage_run_id);

}  // namespace omnifit::exporters
