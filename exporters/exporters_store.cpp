#include "exporters/exporters_store.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/VariadicBind.h>

namespace omnifit::exporters {

namespace {

std::filesystem::path relative_to(const std::filesystem::path& path,
                                  const std::filesystem::path& folder) {
  return std::filesystem::absolute(path).lexically_normal().lexically_relative(
      std::filesystem::absolute(folder).lexically_normal());
}

ProofState parse_proof_state(const std::string& name) {
  for (const auto state :
       {ProofState::kProven, ProofState::kNotProven, ProofState::kNotApplicable}) {
    if (name == proof_state_name(state)) return state;
  }
  throw DataError(fmt::format("table export: unknown proof '{}'", name));
}

}  // namespace

void put_exports(SQLite::Database& sql, const std::filesystem::path& project_folder,
                 std::int64_t stage_run_id, const std::string& budget, std::int64_t arch_id,
                 std::span<const ExportedFile> files) {
  SQLite::Statement remove(sql, "DELETE FROM export WHERE stage_run_id = ? AND budget = ?");
  SQLite::bind(remove, stage_run_id, budget);
  remove.exec();
  SQLite::Statement insert(
      sql,
      "INSERT INTO export (stage_run_id, budget, arch_id, format, path, size_bytes, sha256, proof, "
      "max_rel_difference, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  for (const ExportedFile& file : files) {
    OMNIFIT_CHECK(file.proof.state != ProofState::kFailed, "{}: a failed export is not stored",
                  core::path_text(file.path));
    SQLite::bind(insert, stage_run_id, budget, arch_id, file.format,
                 relative_to(file.path, project_folder).string(),
                 static_cast<std::int64_t>(file.size_bytes), file.sha256,
                 std::string(proof_state_name(file.proof.state)));
    if (file.proof.max_rel_difference) {
      insert.bind(9, *file.proof.max_rel_difference);
    } else {
      insert.bind(9);
    }
    insert.bind(10, file.proof.note);
    insert.exec();
    insert.reset();
  }
}

std::vector<ExportRow> exports(SQLite::Database& sql, std::int64_t stage_run_id) {
  SQLite::Statement query(
      sql,
      "SELECT export.id, budget, arch_id, arch.text, format, path, size_bytes, sha256, proof, "
      "max_rel_difference, note FROM export JOIN arch ON arch.id = arch_id "
      "WHERE stage_run_id = ? ORDER BY export.id");
  query.bind(1, stage_run_id);
  std::vector<ExportRow> rows;
  while (query.executeStep()) {
    ExportRow& row = rows.emplace_back();
    row.id = query.getColumn(0).getInt64();
    row.budget = query.getColumn(1).getString();
    row.arch_id = query.getColumn(2).getInt64();
    row.arch_text = query.getColumn(3).getString();
    row.format = query.getColumn(4).getString();
    row.path = query.getColumn(5).getString();
    row.size_bytes = static_cast<std::uint64_t>(query.getColumn(6).getInt64());
    row.sha256 = query.getColumn(7).getString();
    row.proof.state = parse_proof_state(query.getColumn(8).getString());
    if (!query.getColumn(9).isNull()) row.proof.max_rel_difference = query.getColumn(9).getDouble();
    row.proof.note = query.getColumn(10).getString();
  }
  return rows;
}

}  // namespace omnifit::exporters
