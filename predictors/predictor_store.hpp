#pragma once

#include "predictors/accuracy_predictor.hpp"
#include "store/database.hpp"

#include <cstdint>
#include <functional>
#include <optional>

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

/// Its figures; nullopt if the stage run stored none.
std::optional<FitMetrics> get_fit_metrics(const store::Database& db, std::int64_t stage_run_id);

/// Stable hash of everything the predictor says: kind, layout and weights
/// (`stage_run.result_hash`).
std::uint64_t predictor_hash(const AccuracyPredictor& predictor);

}  // namespace omnifit::predictors
