#pragma once

#include "predictors/accuracy_predictor.hpp"
#include "store/database.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::predictors {

/// Row id of an arch; called inside a write transaction.
using ArchIdOf = std::function<std::int64_t(SQLite::Database&, const space::Arch&)>;

/// Stores the predictor with its figures and held-out pairs, replacing what the same stage run
/// stored before, in one transaction. Returns the row id.
std::int64_t put_predictor(store::Database& db, std::int64_t stage_run_id, std::int64_t space_id,
                           const FitResult& result, const ArchIdOf& arch_id_of);

/// The predictor a stage run stored. @throws StateError if there is none, DataError if it was
/// fitted on another space or layout or is damaged.
AccuracyPredictor get_predictor(const store::Database& db, std::int64_t stage_run_id,
                                const space::SearchSpace& space, const space::TaskIo& io);

/// Its figures; nullopt if the stage run stored none or an imported predictor, which has none.
std::optional<FitMetrics> get_fit_metrics(const store::Database& db, std::int64_t stage_run_id);

/// A predictor of a project with what it takes to use it in another one.
struct StoredPredictor {
  std::string space_yaml;
  space::TaskIo io;  ///< of the subnets it was judged on; of no consequence to an imported one
  std::string kind;
  std::uint64_t layout_version = 0;
  std::vector<std::byte> weights;
  std::vector<std::byte> prior;  ///< as Prior::serialise gave it; empty if there is none
};

/// The predictor that was stored last; nullopt if there is none.
std::optional<StoredPredictor> newest_predictor(const store::Database& db);

/// Where an imported predictor comes from.
struct PredictorSource {
  std::string name;  ///< of the file
  std::string sha256;
};

struct ImportedPredictor {
  AccuracyPredictor predictor;
  PredictorSource source;
};

/// Reads a predictor that the reference released. @throws DataError as ReferencePredictor::load.
ImportedPredictor load_imported_predictor(const std::filesystem::path& file,
                                          const space::SearchSpace& space);

/// Stores a predictor that was trained elsewhere (AccuracyPredictor::imported), without figures, in
/// one transaction: as the result of a stage run, replacing what that stored before, or by itself,
/// replacing the import of the same file. Returns the row id.
std::int64_t put_imported_predictor(store::Database& db, std::optional<std::int64_t> stage_run_id,
                                    std::int64_t space_id, const AccuracyPredictor& predictor,
                                    const PredictorSource& source);

/// Stable hash of everything the predictor says: kind, layout (with the prior) and weights
/// (`stage_run.result_hash`).
std::uint64_t predictor_hash(const AccuracyPredictor& predictor);

}  // namespace omnifit::predictors
