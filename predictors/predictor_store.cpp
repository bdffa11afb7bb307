#include "predictors/predictor_store.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstring>
#include <string>
#include <vector>

namespace omnifit::predictors {
namespace {

struct StoredModel {
  std::string kind;
  std::string layout_version;
  std::vector<std::byte> weights;
};

void put_held_out(SQLite::Database& sql, std::int64_t predictor_id,
                  const std::vector<HeldOutPair>& pairs, const ArchIdOf& arch_id_of) {
  SQLite::Statement insert(sql,
                           "INSERT INTO predictor_check (predictor_id, arch_id, predicted_top1, "
                           "measured_top1) VALUES (?, ?, ?, ?)");
  for (const HeldOutPair& pair : pairs) {
    insert.bind(1, predictor_id);
    insert.bind(2, arch_id_of(sql, pair.arch));
    insert.bind(3, pair.predicted_top1);
    insert.bind(4, pair.measured_top1);
    insert.exec();
    insert.reset();
  }
}

}  // namespace

std::int64_t put_predictor(store::Database& db, std::int64_t stage_run_id, std::int64_t space_id,
                           const FitResult& result, const ArchIdOf& arch_id_of) {
  const std::vector<std::byte> weights = result.predictor.serialise();
  std::int64_t id = 0;
  db.write([&](SQLite::Database& sql) {
    SQLite::Statement remove(sql, "DELETE FROM predictor WHERE stage_run_id = ?");
    remove.bind(1, stage_run_id);
    remove.exec();
    SQLite::Statement insert(
        sql,
        "INSERT INTO predictor (stage_run_id, space_id, kind, layout_version, weights, num_train, "
        "num_held_out, kendall_tau, spearman, rmse, mae) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, stage_run_id);
    insert.bind(2, space_id);
    insert.bind(3, result.predictor.kind());
    insert.bind(4, core::hex64(result.predictor.layout_version()));
    insert.bind(5, weights.data(), static_cast<int>(weights.size()));
    insert.bind(6, result.metrics.num_train);
    insert.bind(7, result.metrics.num_held_out);
    insert.bind(8, result.metrics.kendall_tau);
    insert.bind(9, result.metrics.spearman);
    insert.bind(10, result.metrics.rmse);
    insert.bind(11, result.metrics.mae);
    insert.exec();
    id = sql.getLastInsertRowid();
    put_held_out(sql, id, result.held_out, arch_id_of);
  });
  return id;
}

AccuracyPredictor get_predictor(const store::Database& db, std::int64_t stage_run_id,
                                const space::SearchSpace& space, const space::TaskIo& io) {
  std::optional<StoredModel> stored;
  db.read([&](SQLite::Database& sql) {
    SQLite::Statement query(
        sql, "SELECT kind, layout_version, weights FROM predictor WHERE stage_run_id = ?");
    query.bind(1, stage_run_id);
    if (!query.executeStep()) return;
    stored.emplace();
    stored->kind = query.getColumn(0).getString();
    stored->layout_version = query.getColumn(1).getString();
    const SQLite::Column blob = query.getColumn(2);
    stored->weights.resize(static_cast<std::size_t>(blob.getBytes()));
    if (!stored->weights.empty()) {
      std::memcpy(stored->weights.data(), blob.getBlob(), stored->weights.size());
    }
  });
  if (!stored) {
    throw StateError(core::path_text(db.path()) +
                     ": no accuracy predictor was fitted yet; run the fit stage first");
  }
  return AccuracyPredictor::restore(space, io, stored->kind,
                                    core::parse_hex64(stored->layout_version), stored->weights);
}

std::optional<FitMetrics> get_fit_metrics(const store::Database& db, std::int64_t stage_run_id) {
  std::optional<FitMetrics> metrics;
  db.read([&](SQLite::Database& sql) {
    SQLite::Statement query(sql,
                            "SELECT num_train, num_held_out, kendall_tau, spearman, rmse, mae "
                            "FROM predictor WHERE stage_run_id = ?");
    query.bind(1, stage_run_id);
    if (!query.executeStep()) return;
    metrics = FitMetrics{query.getColumn(0).getInt(),    query.getColumn(1).getInt(),
                         query.getColumn(2).getDouble(), query.getColumn(3).getDouble(),
                         query.getColumn(4).getDouble(), query.getColumn(5).getDouble()};
  });
  return metrics;
}

std::uint64_t predictor_hash(const AccuracyPredictor& predictor) {
  const std::vector<std::byte> weights = predictor.serialise();
  return core::stable_hash(fmt::format("{} {} {}", predictor.kind(),
                                       core::hex64(predictor.layout_version()),
                                       core::hex64(core::stable_hash(weights))));
}

}  // namespace omnifit::predictors
