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

std::vector<std::byte> bytes_of(const SQLite::Column& blob) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(blob.getBytes()));
  if (!bytes.empty()) std::memcpy(bytes.data(), blob.getBlob(), bytes.size());
  return bytes;
}

/// The columns that a predictor is restored from: kind, layout_version, weights, prior.
StoredPredictor model_of(SQLite::Statement& row) {
  StoredPredictor stored;
  stored.kind = row.getColumn(0).getString();
  stored.layout_version = core::parse_hex64(row.getColumn(1).getString());
  stored.weights = bytes_of(row.getColumn(2));
  stored.prior = bytes_of(row.getColumn(3));
  return stored;
}

void bind_bytes(SQLite::Statement& statement, int index, const std::vector<std::byte>& bytes) {
  statement.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

void remove_predictor_of(SQLite::Database& sql, std::int64_t stage_run_id) {
  SQLite::Statement remove(sql, "DELETE FROM predictor WHERE stage_run_id = ?");
  remove.bind(1, stage_run_id);
  remove.exec();
}

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
    remove_predictor_of(sql, stage_run_id);
    SQLite::Statement insert(
        sql,
        "INSERT INTO predictor (stage_run_id, space_id, kind, layout_version, weights, num_train, "
        "num_held_out, kendall_tau, spearman, rmse, mae, prior, prior_source, "
        "prior_source_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, stage_run_id);
    insert.bind(2, space_id);
    insert.bind(3, result.predictor.kind());
    insert.bind(4, core::hex64(result.predictor.layout_version()));
    bind_bytes(insert, 5, weights);
    insert.bind(6, result.metrics.num_train);
    insert.bind(7, result.metrics.num_held_out);
    insert.bind(8, result.metrics.kendall_tau);
    insert.bind(9, result.metrics.spearman);
    insert.bind(10, result.metrics.rmse);
    insert.bind(11, result.metrics.mae);
    const Prior* prior = result.predictor.prior();
    if (prior != nullptr) bind_bytes(insert, 12, prior->serialise());
    insert.bind(13, prior != nullptr ? prior->source() : "");
    insert.bind(14, prior != nullptr ? prior->source_sha256() : "");
    insert.exec();
    id = sql.getLastInsertRowid();
    put_held_out(sql, id, result.held_out, arch_id_of);
  });
  return id;
}

ImportedPredictor load_imported_predictor(const std::filesystem::path& file,
                                          const space::SearchSpace& space) {
  auto predictor = AccuracyPredictor::imported(ReferencePredictor::load(file, space));
  return {std::move(predictor), {core::path_text(file.filename()), core::sha256_file(file)}};
}

std::int64_t put_imported_predictor(store::Database& db, std::optional<std::int64_t> stage_run_id,
                                    std::int64_t space_id, const AccuracyPredictor& predictor,
                                    const PredictorSource& source) {
  OMNIFIT_CHECK(predictor.is_imported(), "a fitted predictor is stored with its figures");
  std::int64_t id = 0;
  db.write([&](SQLite::Database& sql) {
    if (stage_run_id) {
      remove_predictor_of(sql, *stage_run_id);
    } else {
      SQLite::Statement remove(sql,
                               "DELETE FROM predictor WHERE stage_run_id IS NULL AND space_id = ? "
                               "AND source_sha256 = ?");
      remove.bind(1, space_id);
      remove.bind(2, source.sha256);
      remove.exec();
    }
    SQLite::Statement insert(
        sql,
        "INSERT INTO predictor (stage_run_id, space_id, kind, layout_version, weights, source, "
        "source_sha256) VALUES (?, ?, ?, ?, ?, ?, ?)");
    if (stage_run_id) insert.bind(1, *stage_run_id);
    insert.bind(2, space_id);
    insert.bind(3, predictor.kind());
    insert.bind(4, core::hex64(predictor.layout_version()));
    bind_bytes(insert, 5, predictor.serialise());
    insert.bind(6, source.name);
    insert.bind(7, source.sha256);
    insert.exec();
    id = sql.getLastInsertRowid();
  });
  return id;
}

AccuracyPredictor get_predictor(const store::Database& db, std::int64_t stage_run_id,
                                const space::SearchSpace& space, const space::TaskIo& io) {
  std::optional<StoredPredictor> stored;
  db.read([&](SQLite::Database& sql) {
    SQLite::Statement query(
        sql, "SELECT kind, layout_version, weights, prior FROM predictor WHERE stage_run_id = ?");
    query.bind(1, stage_run_id);
    if (query.executeStep()) stored = model_of(query);
  });
  if (!stored) {
    throw StateError(core::path_text(db.path()) +
                     ": no accuracy predictor was fitted yet; run the fit stage first");
  }
  return AccuracyPredictor::restore(space, io, stored->kind, stored->layout_version,
                                    stored->weights, stored->prior);
}

std::optional<StoredPredictor> newest_predictor(const store::Database& db) {
  std::optional<StoredPredictor> stored;
  db.read([&](SQLite::Database& sql) {
    SQLite::Statement query(
        sql,
        "SELECT p.kind, p.layout_version, p.weights, p.prior, s.yaml, "
        "(SELECT a.in_channels FROM predictor_check c JOIN arch a ON a.id = c.arch_id "
        "WHERE c.predictor_id = p.id LIMIT 1), "
        "(SELECT a.num_classes FROM predictor_check c JOIN arch a ON a.id = c.arch_id "
        "WHERE c.predictor_id = p.id LIMIT 1) "
        "FROM predictor p JOIN space s ON s.id = p.space_id ORDER BY p.id DESC LIMIT 1");
    if (!query.executeStep()) return;
    stored = model_of(query);
    stored->space_yaml = query.getColumn(4).getString();
    if (query.getColumn(5).isNull()) return;
    stored->io = {query.getColumn(5).getInt(), query.getColumn(6).getInt()};
  });
  return stored;
}

std::optional<FitMetrics> get_fit_metrics(const store::Database& db, std::int64_t stage_run_id) {
  std::optional<FitMetrics> metrics;
  db.read([&](SQLite::Database& sql) {
    SQLite::Statement query(sql,
                            "SELECT num_train, num_held_out, kendall_tau, spearman, rmse, mae "
                            "FROM predictor WHERE stage_run_id = ?");
    query.bind(1, stage_run_id);
    if (!query.executeStep() || query.getColumn(0).isNull()) return;
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
