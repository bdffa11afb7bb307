#include "latency_lut/merge.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <variant>

namespace omnifit::latency {
namespace {

using Value = std::variant<std::monostate, std::int64_t, double, std::string>;
using Row = std::map<std::string, Value>;
using Ids = std::map<std::int64_t, std::int64_t>;  ///< of the other file → of the project
using Strings = std::vector<std::string>;

/// How rows of a table are merged.
struct TableRule {
  const char* table;
  const char* what;  ///< which rows of the other file
  Strings key;       ///< natural
  Strings ignored;   ///< columns that may differ: times of day
  std::vector<std::pair<std::string, std::string>> references;  ///< column → table of ids
};

/// In the order in which they refer to one another.
const std::vector<TableRule>& rules() {
  static const std::vector<TableRule> kRules{
      {"space", "SELECT * FROM space", {"fingerprint"}, {}, {}},
      {"arch",
       "SELECT * FROM arch WHERE id IN (SELECT arch_id FROM network_latency)",
       {"space_id", "in_channels", "num_classes", "text"},
       {},
       {{"space_id", "space"}}},
      {"device", "SELECT * FROM device", {"fingerprint"}, {}, {}},
      {"layer_latency",
       "SELECT * FROM layer_latency",
       {"device_id", "protocol_hash", "source", "spec"},
       {},
       {{"device_id", "device"}}},
      {"network_latency",
       "SELECT * FROM network_latency",
       {"device_id", "arch_id", "protocol_hash", "purpose"},
       {"measured_at"},
       {{"device_id", "device"}, {"arch_id", "arch"}}},
      {"job",
       "SELECT * FROM job WHERE id IN (SELECT job_id FROM stage_run WHERE stage = 'profile' AND "
       "state = 'done')",
       {"hash"},
       {"source", "omnifit_version", "git_revision", "libtorch_version", "host", "created_at"},
       {}},
      {"stage_run",
       "SELECT * FROM stage_run WHERE stage = 'profile' AND state = 'done'",
       {"stage", "input_hash"},
       {"job_id", "started_at", "finished_at", "duration_s", "message"},
       {{"job_id", "job"}}},
      {"latency_model",
       "SELECT * FROM latency_model WHERE stage_run_id IN (SELECT id FROM stage_run WHERE stage = "
       "'profile' AND state = 'done')",
       {"stage_run_id", "device_id"},
       {},
       {{"stage_run_id", "stage_run"}, {"device_id", "device"}, {"space_id", "space"}}}};
  return kRules;
}

Value value_of(const SQLite::Column& column) {
  if (column.isNull()) return std::monostate();
  if (column.isInteger()) return column.getInt64();
  if (column.isFloat()) return column.getDouble();
  return column.getString();
}

std::vector<Row> read_rows(SQLite::Statement& query) {
  std::vector<Row> rows;
  while (query.executeStep()) {
    Row& row = rows.emplace_back();
    for (int i = 0; i < query.getColumnCount(); ++i) {
      row[query.getColumn(i).getName()] = value_of(query.getColumn(i));
    }
  }
  return rows;
}

void bind(SQLite::Statement& statement, int index, const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    statement.bind(index, *integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    statement.bind(index, *real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    statement.bind(index, *text);
  } else {
    statement.bind(index);
  }
}

std::string text_of(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:g}", *real);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return "none";
}

using Contents = std::map<std::string, std::vector<Row>>;

Contents read_contents(const store::Database& db) {
  Contents contents;
  db.read([&](SQLite::Database& sql) {
    for (const TableRule& rule : rules()) {
      SQLite::Statement query(sql, rule.what);
      contents[rule.table] = read_rows(query);
    }
  });
  return contents;
}

/// Merges into an open transaction.
class Merger {
 public:
  Merger(SQLite::Database& sql, MergeReport& report) : sql_(sql), report_(report) {}

  void merge(const TableRule& rule, const std::vector<Row>& rows) {
    MergeCount& count = report_.tables[rule.table];
    for (Row row : rows) {
      const std::int64_t other_id = std::get<std::int64_t>(row.at("id"));
      row.erase("id");
      if (!follow_references(rule, row)) continue;
      const std::optional<Row> mine = find(rule, row);
      if (!mine) {
        insert(rule, row);
        ids_[rule.table][other_id] = sql_.getLastInsertRowid();
        ++count.added;
        continue;
      }
      const Strings differing = differences(rule, *mine, row);
      if (differing.empty()) {
        ids_[rule.table][other_id] = std::get<std::int64_t>(mine->at("id"));
        ++count.same;
        continue;
      }
      ++count.conflicting;
      // What belongs to a result that differs from this project's does not belong to it.
      if (std::string_view(rule.table) != "stage_run") {
        ids_[rule.table][other_id] = std::get<std::int64_t>(mine->at("id"));
      }
      describe(rule, *mine, row, differing.front());
    }
  }

 private:
  /// False if the row hangs on one that was not merged.
  bool follow_references(const TableRule& rule, Row& row) const {
    for (const auto& [column, table] : rule.references) {
      const auto& ids = ids_.at(table);
      const auto found = ids.find(std::get<std::int64_t>(row.at(column)));
      if (found == ids.end()) return false;
      row[column] = found->second;
    }
    return true;
  }

  std::optional<Row> find(const TableRule& rule, const Row& row) {
    std::string sql = fmt::format("SELECT * FROM {} WHERE ", rule.table);
    for (std::size_t i = 0; i < rule.key.size(); ++i) {
      sql += fmt::format("{}{} IS ?", i > 0 ? " AND " : "", rule.key[i]);
    }
    SQLite::Statement query(sql_, sql);
    for (std::size_t i = 0; i < rule.key.size(); ++i) {
      bind(query, static_cast<int>(i) + 1, row.at(rule.key[i]));
    }
    std::vector<Row> rows = read_rows(query);
    if (rows.empty()) return std::nullopt;
    return std::move(rows.front());
  }

  void insert(const TableRule& rule, const Row& row) {
    std::string columns;
    std::string marks;
    for (const auto& [column, value] : row) {
      columns += (columns.empty() ? "" : ", ") + column;
      marks += marks.empty() ? "?" : ", ?";
    }
    SQLite::Statement statement(
        sql_, fmt::format("INSERT INTO {} ({}) VALUES ({})", rule.table, columns, marks));
    int index = 0;
    for (const auto& [column, value] : row) bind(statement, ++index, value);
    statement.exec();
  }

  static Strings differences(const TableRule& rule, const Row& mine, const Row& theirs) {
    Strings columns;
    for (const auto& [column, value] : theirs) {
      const bool ignored =
          std::find(rule.ignored.begin(), rule.ignored.end(), column) != rule.ignored.end();
      if (!ignored && mine.at(column) != value) columns.push_back(column);
    }
    return columns;
  }

  void describe(const TableRule& rule, const Row& mine, const Row& theirs,
                const std::string& first) {
    if (static_cast<int>(report_.conflicts.size()) >= kMaxConflictsShown) return;
    const bool timed = theirs.contains("median_ms");
    const std::string column = timed ? "median_ms" : first;
    report_.conflicts.push_back(fmt::format("{} {}: {} {} stays, not {}", rule.table,
                                            text_of(theirs.at(rule.key.back())), column,
                                            text_of(mine.at(column)), text_of(theirs.at(column))));
  }

  SQLite::Database& sql_;
  MergeReport& report_;
  std::map<std::string, Ids> ids_;
};

/// "mbv3_32px (0123456789abcdef)"; the spaces whose fingerprints are not in `known`.
std::set<std::string> space_names(const std::vector<Row>& spaces) {
  std::set<std::string> names;
  for (const Row& row : spaces) {
    names.insert(fmt::format("{} ({})", text_of(row.at("name")), text_of(row.at("fingerprint"))));
  }
  return names;
}

void check_spaces(const std::string& project, const std::vector<Row>& mine,
                  const std::string& other, const std::vector<Row>& theirs) {
  if (mine.empty() || theirs.empty()) return;
  const std::set<std::string> my_names = space_names(mine);
  const std::set<std::string> their_names = space_names(theirs);
  for (const std::string& name : their_names) {
    if (my_names.contains(name)) return;
  }
  throw DataError(fmt::format("{}: was measured on the space {}, but {} is of {}", other,
                              fmt::join(their_names, ", "), project, fmt::join(my_names, ", ")));
}

}  // namespace

std::int64_t MergeReport::num_conflicts() const {
  std::int64_t count = 0;
  for (const auto& [table, merged] : tables) count += merged.conflicting;
  return count;
}

MergeReport merge_devices(store::Database& project, const store::Database& other) {
  std::error_code ignored;
  if (std::filesystem::equivalent(project.path(), other.path(), ignored)) {
    throw StateError(core::path_text(other.path()) + ": cannot be merged into itself");
  }
  const Contents theirs = read_contents(other);
  MergeReport report;
  project.write([&](SQLite::Database& sql) {
    report = {};
    SQLite::Statement spaces(sql, "SELECT * FROM space");
    check_spaces(core::path_text(project.path()), read_rows(spaces), core::path_text(other.path()),
                 theirs.at("space"));
    Merger merger(sql, report);
    for (const TableRule& rule : rules()) merger.merge(rule, theirs.at(rule.table));
  });
  return report;
}

}  // namespace omnifit::latency
