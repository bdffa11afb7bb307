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
  Strings shown;     ///< columns that tell people which row it is
  Strings ignored;   ///< columns that may differ: times of day
  std::vector<std::pair<std::string, std::string>> references;  ///< column → table of ids
  /// Rows are parts of a row of that table and come with it or not at all: a table that this
  /// project has stays as it is. nullptr for rows that stand for themselves.
  const char* whole = nullptr;
};

constexpr const char* kDoneProfiles =
    "(SELECT id FROM stage_run WHERE stage = 'profile' AND state = 'done')";

/// In the order in which they refer to one another.
const std::vector<TableRule>& rules() {
  static const std::string jobs = fmt::format(
      "SELECT * FROM job WHERE id IN (SELECT job_id FROM stage_run WHERE id IN {})", kDoneProfiles);
  static const std::string models =
      fmt::format("SELECT * FROM latency_model WHERE stage_run_id IS NULL OR stage_run_id IN {}",
                  kDoneProfiles);
  static const std::string runs =
      fmt::format("SELECT * FROM stage_run WHERE id IN {}", kDoneProfiles);
  static const std::vector<TableRule> kRules{
      {"space", "SELECT * FROM space", {"fingerprint"}, {"name"}, {}, {}},
      {"arch",
       "SELECT * FROM arch WHERE id IN (SELECT arch_id FROM network_latency)",
       {"space_id", "in_channels", "num_classes", "text"},
       {"text"},
       {},
       {{"space_id", "space"}}},
      {"device", "SELECT * FROM device", {"fingerprint"}, {"name"}, {}, {}},
      {"foreign_table",
       "SELECT * FROM foreign_table",
       {"device_id", "name"},
       {"device_id", "name"},
       {},
       {{"device_id", "device"}}},
      {"foreign_latency",
       "SELECT * FROM foreign_latency",
       {"table_id", "key"},
       {"table_id", "key"},
       {},
       {{"table_id", "foreign_table"}},
       "foreign_table"},
      {"layer_latency",
       "SELECT * FROM layer_latency",
       {"device_id", "protocol_hash", "source", "spec"},
       {"device_id", "spec"},
       {},
       {{"device_id", "device"}}},
      {"network_latency",
       "SELECT * FROM network_latency",
       {"device_id", "arch_id", "protocol_hash", "purpose"},
       {"device_id", "purpose", "arch_id"},
       {"measured_at"},
       {{"device_id", "device"}, {"arch_id", "arch"}}},
      {"job",
       jobs.c_str(),
       {"hash"},
       {"hash"},
       {"source", "omnifit_version", "git_revision", "libtorch_version", "host", "created_at"},
       {}},
      {"stage_run",
       runs.c_str(),
       {"stage", "input_hash"},
       {"stage", "input_hash"},
       {"job_id", "started_at", "finished_at", "duration_s", "message"},
       {{"job_id", "job"}}},
      {"latency_model",
       models.c_str(),
       {"stage_run_id", "device_id", "space_id", "kind"},
       {"device_id", "kind"},
       {},
       {{"stage_run_id", "stage_run"}, {"device_id", "device"}, {"space_id", "space"}}},
      {"layer_estimate",
       "SELECT * FROM layer_estimate",
       {"latency_model_id", "spec"},
       {"latency_model_id", "spec"},
       {},
       {{"latency_model_id", "latency_model"}},
       "latency_model"}};
  return kRules;
}

/// What a row of a table is called in the lines about rows that refer to it.
const std::map<std::string, const char*>& name_queries() {
  static const std::map<std::string, const char*> kQueries{
      {"device", "SELECT name FROM device WHERE id = ?"},
      {"arch", "SELECT text FROM arch WHERE id = ?"},
      {"foreign_table",
       "SELECT d.name || ' ' || t.name FROM foreign_table t JOIN device d ON d.id = t.device_id "
       "WHERE t.id = ?"},
      {"latency_model",
       "SELECT d.name FROM latency_model m JOIN device d ON d.id = m.device_id WHERE m.id = ?"}};
  return kQueries;
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
  Merger(SQLite::Database& sql, const Contents& theirs, MergeReport& report)
      : sql_(sql), theirs_(theirs), report_(report) {}

  void merge(const TableRule& rule) {
    MergeCount& count = report_.tables[rule.table];
    for (Row row : theirs_.at(rule.table)) {
      std::optional<std::int64_t> id;
      if (const auto node = row.extract("id")) id = std::get<std::int64_t>(node.mapped());
      if (!follow_references(rule, row)) continue;
      const std::optional<Row> mine = find(rule, row);
      if (!mine) {
        if (const std::string obstacle = obstacle_to(rule, id, row); !obstacle.empty()) {
          ++count.conflicting;
          describe(rule, row, obstacle);
          continue;
        }
        insert(rule, row);
        if (id) {
          ids_[rule.table][*id] = sql_.getLastInsertRowid();
          added_[rule.table].insert(sql_.getLastInsertRowid());
        }
        ++count.added;
        continue;
      }
      const Strings differing = differences(rule, *mine, row);
      ++(differing.empty() ? count.same : count.conflicting);
      if (!differing.empty()) describe_difference(rule, *mine, row, differing.front());
      // What belongs to a result that differs from this project's does not belong to it.
      const bool parent = differing.empty() || std::string_view(rule.table) != "stage_run";
      if (id && parent) ids_[rule.table][*id] = std::get<std::int64_t>(mine->at("id"));
    }
  }

 private:
  /// False if the row hangs on one that was not merged.
  bool follow_references(const TableRule& rule, Row& row) const {
    for (const auto& [column, table] : rule.references) {
      const auto* other_id = std::get_if<std::int64_t>(&row.at(column));
      if (other_id == nullptr) continue;
      const auto ids = ids_.find(table);
      if (ids == ids_.end()) return false;
      const auto found = ids->second.find(*other_id);
      if (found == ids->second.end()) return false;
      row[column] = found->second;
    }
    return true;
  }

  /// Why a row that this project does not have stays out; empty if it may come in.
  std::string obstacle_to(const TableRule& rule, std::optional<std::int64_t> other_id,
                          const Row& row) {
    if (std::string_view(rule.table) == "foreign_table") {
      return obstacle_to_table(other_id.value(), row);
    }
    if (rule.whole == nullptr) return "";
    const std::int64_t owner = std::get<std::int64_t>(row.at(rule.references.front().first));
    return added_[rule.whole].contains(owner) ? "" : "is in the other file alone and stays out";
  }

  /// Tables of one device are in one dialect, and one per resolution: then most keys differ.
  std::string obstacle_to_table(std::int64_t other_id, const Row& row) {
    std::set<std::string> keys;
    for (const Row& entry : theirs_.at("foreign_latency")) {
      if (std::get<std::int64_t>(entry.at("table_id")) == other_id)
        keys.insert(text_of(entry.at("key")));
    }
    SQLite::Statement mine(sql_, "SELECT id, name, dialect FROM foreign_table WHERE device_id = ?");
    bind(mine, 1, row.at("device_id"));
    while (mine.executeStep()) {
      const std::string name = mine.getColumn(1).getString();
      const std::string dialect = mine.getColumn(2).getString();
      if (dialect != text_of(row.at("dialect"))) {
        return fmt::format("is in the dialect {} and stays out: '{}' is in {}",
                           text_of(row.at("dialect")), name, dialect);
      }
      SQLite::Statement entries(sql_, "SELECT key FROM foreign_latency WHERE table_id = ?");
      entries.bind(1, mine.getColumn(0).getInt64());
      std::size_t num_entries = 0;
      std::size_t num_shared = 0;
      for (; entries.executeStep(); ++num_entries) {
        num_shared += keys.contains(entries.getColumn(0).getString()) ? 1 : 0;
      }
      if (2 * num_shared > std::min(num_entries, keys.size())) {
        return fmt::format("stays out: '{}' has {} of its {} keys", name, num_shared, keys.size());
      }
    }
    return "";
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

  void describe_difference(const TableRule& rule, const Row& mine, const Row& theirs,
                           const std::string& first) {
    const std::string column = theirs.contains("median_ms") ? "median_ms" : first;
    describe(rule, theirs,
             fmt::format("{} {} stays, not {}", column, text_of(mine.at(column)),
                         text_of(theirs.at(column))));
  }

  /// @param row with references to this project
  void describe(const TableRule& rule, const Row& row, const std::string& what) {
    if (static_cast<int>(report_.conflicts.size()) >= kMaxConflictsShown) return;
    Strings names;
    for (const std::string& column : rule.shown) names.push_back(name_of(rule, row, column));
    report_.conflicts.push_back(fmt::format("{} {}: {}", rule.table, fmt::join(names, " "), what));
  }

  std::string name_of(const TableRule& rule, const Row& row, const std::string& column) {
    for (const auto& [reference, table] : rule.references) {
      if (reference != column) continue;
      SQLite::Statement query(sql_, name_queries().at(table));
      bind(query, 1, row.at(column));
      if (query.executeStep()) return query.getColumn(0).getString();
    }
    return text_of(row.at(column));
  }

  SQLite::Database& sql_;
  const Contents& theirs_;
  MergeReport& report_;
  std::map<std::string, Ids> ids_;
  std::map<std::string, std::set<std::int64_t>> added_;  ///< ids of the project
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
    Merger merger(sql, theirs, report);
    for (const TableRule& rule : rules()) merger.merge(rule);
  });
  return report;
}

}  // namespace omnifit::latency
