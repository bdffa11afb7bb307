#pragma once

#include "core/hash.hpp"
#include "space/arch.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "store/arch_rows.hpp"
#include "store/database.hpp"
#include "tests/support/temp_dir.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <string>

namespace omnifit::test {

/// A fresh project file with the rows that results refer to.
class Project {
 public:
  explicit Project(const space::SearchSpace& space, const space::TaskIo& io)
      : space_(space), io_(io), db(dir_ / "project.db", store::Database::Mode::kReadWrite) {
    db.write([&](SQLite::Database& sql) {
      space_id = store::put_space(sql, {core::hex64(space.fingerprint()), space.name(),
                                        space.version(), space.family(), space.canonical_yaml()});
      sql.exec("INSERT INTO job VALUES (1, 'hash', '', '', '', '', '', '{}', '')");
    });
  }

  /// Id of a new run of a stage.
  std::int64_t add_stage_run(const std::string& stage) {
    std::int64_t id = 0;
    db.write([&](SQLite::Database& sql) {
      SQLite::Statement insert(sql,
                               "INSERT INTO stage_run (job_id, stage, input_hash, state, "
                               "started_at) VALUES (1, ?, ?, 'running', '')");
      insert.bind(1, stage);
      insert.bind(2, std::to_string(++num_runs_));
      insert.exec();
      id = sql.getLastInsertRowid();
    });
    return id;
  }

  std::int64_t arch_id(SQLite::Database& sql, const space::Arch& arch) const {
    const auto plan = space::lower(space_, arch, io_);
    return store::put_arch(sql, {space_id, io_.in_channels, io_.num_classes,
                                 space::to_text(space_, arch), space::to_json(space_, arch),
                                 plan.resolution_px, space::macs(plan), space::params_count(plan),
                                 space::peak_activation_bytes(plan), space::model_bytes(plan)});
  }

  std::int64_t count(const std::string& from_where) const {
    std::int64_t result = 0;
    db.read([&](SQLite::Database& sql) {
      result = sql.execAndGet("SELECT count(*) FROM " + from_where).getInt64();
    });
    return result;
  }

 private:
  TempDir dir_;
  space::SearchSpace space_;
  space::TaskIo io_;
  int num_runs_ = 0;

 public:
  store::Database db;
  std::int64_t space_id = 0;
};

}  // namespace omnifit::test
