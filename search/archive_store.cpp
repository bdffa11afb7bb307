#include "search/archive_store.hpp"

#include "core/error.hpp"
#include "core/fields.hpp"
#include "core/node.hpp"
#include "search/front_history.hpp"
#include "space/arch.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

namespace omnifit::search {
namespace {

/// Metric names are identifiers, so there is nothing to escape; numbers print so that they read
/// back equal.
std::string values_json(std::span<const Metric> metrics, std::span<const double> values) {
  std::string json = "{";
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    json += fmt::format("{}\"{}\":{}", i > 0 ? "," : "", metrics[i].name,
                        std::isfinite(values[i]) ? fmt::format("{}", values[i]) : "null");
  }
  return json + "}";
}

double parse_value(const core::Node& node, const std::string& metric) {
  if (node.kind == core::Node::Kind::kNull) return std::numeric_limits<double>::quiet_NaN();
  double value = 0.0;
  const std::string& text = node.scalar;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw DataError(
        fmt::format("{}: metric '{}' must be a number, found '{}'", node.where.file, metric, text));
  }
  return value;
}

std::vector<double> parse_values(const std::string& json, const std::vector<Metric>& metrics) {
  const core::Node root = core::parse_yaml(json, "search_archive");
  std::vector<double> values;
  for (const Metric& metric : metrics) {
    const core::Node* node = root.find(metric.name);
    if (node == nullptr)
      throw DataError(fmt::format("search_archive: a row lacks the metric '{}'", metric.name));
    values.push_back(parse_value(*node, metric.name));
  }
  return values;
}

void bind_key(SQLite::Statement& statement, const ArchiveKey& key) {
  statement.bind(1, key.stage_run_id);
  statement.bind(2, key.budget);
  statement.bind(3, key.strategy);
}

/// NULL for NaN.
void bind_known(SQLite::Statement& statement, int index, double value) {
  if (std::isnan(value))
    statement.bind(index);
  else
    statement.bind(index, value);
}

space::Arch parse_row(const space::SearchSpace& space, const std::string& text) {
  try {
    return space::parse_arch(space, text);
  } catch (const ConfigError& problem) {
    throw DataError(fmt::format("search_archive: {}", problem.what()));
  }
}

}  // namespace

void append_archive(SQLite::Database& sql, const ArchiveKey& key, const space::SearchSpace& space,
                    std::span<const Metric> metrics, std::span<const Evaluated> batch) {
  SQLite::Statement count(sql,
                          "SELECT COUNT(*) FROM search_archive WHERE stage_run_id = ? AND budget = "
                          "? AND strategy = ?");
  bind_key(count, key);
  count.executeStep();
  std::int64_t position = count.getColumn(0).getInt64();
  SQLite::Statement insert(
      sql,
      "INSERT INTO search_archive (stage_run_id, budget, strategy, position, arch_text, metrics) "
      "VALUES (?, ?, ?, ?, ?, ?)");
  for (const Evaluated& member : batch) {
    bind_key(insert, key);
    insert.bind(4, position++);
    insert.bind(5, space::to_text(space, member.arch));
    insert.bind(6, values_json(metrics, member.values));
    insert.exec();
    insert.reset();
  }
}

std::vector<Evaluated> stored_archive(SQLite::Database& sql, const ArchiveKey& key,
                                      const space::SearchSpace& space,
                                      const std::vector<Metric>& metrics, const Problem& problem) {
  const Scorer scorer(problem, metrics);
  std::vector<Evaluated> archive;
  SQLite::Statement query(
      sql,
      "SELECT arch_text, metrics FROM search_archive WHERE stage_run_id = ? AND budget = ? AND "
      "strategy = ? ORDER BY position");
  bind_key(query, key);
  while (query.executeStep()) {
    std::vector<double> values = parse_values(query.getColumn(1).getString(), metrics);
    Score score = scorer.score(values);
    archive.push_back({.arch = parse_row(space, query.getColumn(0).getString()),
                       .values = std::move(values),
                       .score = std::move(score)});
  }
  return archive;
}

void drop_archive(SQLite::Database& sql, const ArchiveKey& key) {
  SQLite::Statement remove(
      sql, "DELETE FROM search_archive WHERE stage_run_id = ? AND budget = ? AND strategy = ?");
  bind_key(remove, key);
  remove.exec();
}

std::vector<FrontHistory::Axis> stored_box(SQLite::Database& sql, const ArchiveKey& key) {
  SQLite::Statement query(sql,
                          "SELECT hypervolume_box FROM search_run WHERE stage_run_id = ? AND "
                          "budget = ? AND strategy = ?");
  bind_key(query, key);
  if (!query.executeStep() || query.getColumn(0).isNull()) return {};
  const core::Node root = core::parse_yaml(query.getColumn(0).getString(), "search_run");
  std::vector<FrontHistory::Axis> axes;
  for (const auto& [metric, range] : root.entries) {
    if (range.items.size() != 2) {
      throw DataError(
          fmt::format("search_run: hypervolume_box must have two numbers for '{}'", metric));
    }
    axes.push_back({.metric = metric,
                    .best = parse_value(range.items[0], metric),
                    .worst = parse_value(range.items[1], metric)});
  }
  return axes;
}

void put_front_history(SQLite::Database& sql, std::int64_t search_run_id, const SearchTrace& trace,
                       const FrontHistory& history) {
  std::string box;
  for (const FrontHistory::Axis& axis : history.axes) {
    box += fmt::format("{}\"{}\":[{},{}]", box.empty() ? "{" : ",", axis.metric, axis.best,
                       axis.worst);
  }
  SQLite::Statement run(sql,
                        "UPDATE search_run SET hypervolume_box = ?, hypervolume = ? WHERE id = ?");
  if (box.empty())
    run.bind(1);
  else
    run.bind(1, box + "}");
  bind_known(run, 2, history.final_hypervolume);
  run.bind(3, search_run_id);
  run.exec();
  SQLite::Statement generation(
      sql,
      "UPDATE search_generation SET hypervolume = ? WHERE search_run_id = ? AND generation = ?");
  for (std::size_t g = 0; g < history.hypervolume.size(); ++g) {
    bind_known(generation, 1, history.hypervolume[g]);
    generation.bind(2, search_run_id);
    generation.bind(3, trace.generations[g].generation);
    generation.exec();
    generation.reset();
  }
}

}  // namespace omnifit::search
