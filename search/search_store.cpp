#include "search/search_store.hpp"

#include "core/fields.hpp"
#include "search/archive_store.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

namespace omnifit::search {
namespace {

void bind_optional(SQLite::Statement& statement, int index, std::optional<double> value) {
  if (value && std::isfinite(*value)) {
    statement.bind(index, *value);
  } else {
    statement.bind(index);
  }
}

std::int64_t insert_run(SQLite::Database& sql, const SearchRunRow& row, const Problem& problem,
                        const SearchTrace& trace, std::size_t top1) {
  SQLite::Statement remove(
      sql, "DELETE FROM search_run WHERE stage_run_id = ? AND budget = ? AND strategy = ?");
  remove.bind(1, row.stage_run_id);
  remove.bind(2, row.budget);
  remove.bind(3, row.strategy);
  remove.exec();
  SQLite::Statement insert(
      sql,
      "INSERT INTO search_run (stage_run_id, budget, strategy, constraints, seed, num_evaluations, "
      "best_top1, stop_reason, top1_source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, row.stage_run_id);
  insert.bind(2, row.budget);
  insert.bind(3, row.strategy);
  insert.bind(4, bounds_json(problem));
  // SQLite knows signed integers only; the bits are kept.
  insert.bind(5, static_cast<std::int64_t>(row.seed));
  // What it adopted from other searches was not evaluated for it.
  insert.bind(6, trace.generations.empty() ? static_cast<std::int64_t>(trace.archive.size())
                                           : trace.generations.back().num_evaluations);
  bind_optional(insert, 7,
                trace.best ? std::optional(trace.archive[*trace.best].values[top1]) : std::nullopt);
  insert.bind(8, stop_reason_text(trace.stop_reason));
  insert.bind(9, top1_source_name(row.top1_source));
  insert.exec();
  return sql.getLastInsertRowid();
}

/// The trace's figures are of the first objective; only top-1 has columns.
void insert_generations(SQLite::Database& sql, std::int64_t run_id, const Problem& problem,
                        const SearchTrace& trace) {
  const bool is_top1 = problem.objectives.front().metric == "top1";
  SQLite::Statement insert(
      sql,
      "INSERT INTO search_generation (search_run_id, generation, num_evaluations, best_top1, "
      "mean_top1, feasible_share) VALUES (?, ?, ?, ?, ?, ?)");
  for (const GenerationRecord& record : trace.generations) {
    insert.bind(1, run_id);
    insert.bind(2, record.generation);
    insert.bind(3, record.num_evaluations);
    bind_optional(insert, 4, is_top1 ? record.best : std::nullopt);
    bind_optional(insert, 5, is_top1 ? record.mean : std::nullopt);
    insert.bind(6, record.feasible_share);
    insert.exec();
    insert.reset();
  }
}

/// The latency a budget is about: the one it bounds ("latency_ms" or "latency_ms@DEVICE"), else
/// that of the job's device.
std::optional<std::size_t> latency_column(const Problem& problem, const SearchTrace& trace) {
  for (const Bound& bound : problem.bounds) {
    if (bound.metric.starts_with("latency_ms")) return trace.column(bound.metric);
  }
  return trace.column("latency_ms");
}

void insert_results(SQLite::Database& sql, std::int64_t run_id, const Problem& problem,
                    const SearchTrace& trace, std::size_t top1,
                    const std::function<std::int64_t(const space::Arch&)>& arch_id,
                    int max_results) {
  SQLite::Statement insert(
      sql,
      "INSERT INTO search_result (search_run_id, rank, arch_id, top1, latency_ms) "
      "VALUES (?, ?, ?, ?, ?)");
  const auto latency = latency_column(problem, trace);
  int rank = 0;
  for (const std::size_t index : results(trace, max_results)) {
    const Evaluated& member = trace.archive[index];
    insert.bind(1, run_id);
    insert.bind(2, rank++);
    insert.bind(3, arch_id(member.arch));
    insert.bind(4, member.values[top1]);
    bind_optional(insert, 5, latency ? std::optional(member.values[*latency]) : std::nullopt);
    insert.exec();
    insert.reset();
  }
}

std::optional<double> optional_real(const SQLite::Column& column) {
  return column.isNull() ? std::nullopt : std::optional(column.getDouble());
}

std::vector<SearchResultRow> load_results(SQLite::Database& sql, std::int64_t run_id) {
  std::vector<SearchResultRow> rows;
  SQLite::Statement query(sql,
                          "SELECT rank, arch_id, text, top1, latency_ms FROM search_result "
                          "JOIN arch ON arch.id = arch_id WHERE search_run_id = ? ORDER BY rank");
  query.bind(1, run_id);
  while (query.executeStep()) {
    rows.push_back({.rank = query.getColumn(0).getInt(),
                    .arch_id = query.getColumn(1).getInt64(),
                    .arch_text = query.getColumn(2).getString(),
                    .top1 = query.getColumn(3).getDouble(),
                    .latency_ms = optional_real(query.getColumn(4))});
  }
  return rows;
}

}  // namespace

const std::string& top1_source_name(SearchRunRow::Top1Source source) {
  using enum SearchRunRow::Top1Source;
  static const core::EnumTable<SearchRunRow::Top1Source> kNames = {
      {kPredicted, "predicted"}, {kMeasured, "measured"}, {kTable, "table"}};
  return core::enum_name(kNames, source);
}

std::string bounds_json(const Problem& problem) {
  // Metric names are identifiers, so there is nothing to escape; numbers print so that they read
  // back equal.
  std::string json = "{";
  const auto add = [&](const std::string& key, double value) {
    json += fmt::format("{}\"{}\":{}", json.size() > 1 ? "," : "", key, value);
  };
  for (const Bound& bound : problem.bounds) {
    if (bound.max) add(bound.metric, *bound.max);
    if (bound.min) add("min_" + bound.metric, *bound.min);
  }
  return json + "}";
}

std::int64_t put_search(SQLite::Database& sql, const SearchRunRow& row, const Problem& problem,
                        const SearchTrace& trace,
                        const std::function<std::int64_t(const space::Arch&)>& arch_id,
                        const SearchStoreOptions& options) {
  const auto top1 = trace.column("top1");
  if (!top1)
    throw std::invalid_argument(
        "put_search: the project file stores searches with a metric 'top1' only");
  const std::int64_t run_id = insert_run(sql, row, problem, trace, *top1);
  insert_generations(sql, run_id, problem, trace);
  insert_results(sql, run_id, problem, trace, *top1, arch_id, options.max_results);
  put_front_history(sql, run_id, trace,
                    options.box ? front_history_in(*options.box, trace, problem)
                                : front_history(trace, problem, options.compared));
  return run_id;
}

std::vector<StoredSearch> searches(SQLite::Database& sql, std::int64_t stage_run_id) {
  std::vector<StoredSearch> runs;
  SQLite::Statement query(
      sql,
      "SELECT id, budget, strategy, constraints, seed, num_evaluations, best_top1, stop_reason, "
      "top1_source FROM search_run WHERE stage_run_id = ? ORDER BY id");
  query.bind(1, stage_run_id);
  while (query.executeStep()) {
    runs.push_back({.id = query.getColumn(0).getInt64(),
                    .budget = query.getColumn(1).getString(),
                    .strategy = query.getColumn(2).getString(),
                    .top1_source = query.getColumn(8).getString(),
                    .constraints_json = query.getColumn(3).getString(),
                    .seed = static_cast<std::uint64_t>(query.getColumn(4).getInt64()),
                    .num_evaluations = query.getColumn(5).getInt64(),
                    .best_top1 = optional_real(query.getColumn(6)),
                    .stop_reason = query.getColumn(7).getString(),
                    .results = load_results(sql, query.getColumn(0).getInt64())});
  }
  return runs;
}

}  // namespace omnifit::search
