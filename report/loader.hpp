#pragma once

#include "report/report.hpp"
#include "space/arch.hpp"
#include "space/search_space.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace omnifit::report {

/// An arch row with what is needed to recompute something about it.
struct StoredArch {
  ArchInfo info;
  std::int64_t space_id = 0;
  int in_channels = 0;
  int num_classes = 0;
};

/// Reads the parts of one job inside one snapshot; remembers spaces and archs. Not thread-safe.
class Loader {
 public:
  Loader(SQLite::Database& sql, const ReportRequest& request);

  /// @throws DataError naming the run that `file` does not have.
  void check_request(const std::string& file) const;
  void load_job(ReportData& data);
  void load_stages(ReportData& data);
  void load_training(ReportData& data);
  void load_latency(ReportData& data);
  void load_accuracies(ReportData& data);
  void load_predictor(ReportData& data);
  void load_searches(ReportData& data);
  void load_verified(ReportData& data);
  void load_exports(ReportData& data);
  /// After the others: finds the space and the data set that they used.
  void load_space_and_dataset(ReportData& data);

 private:
  std::optional<std::int64_t> run_id(const std::string& stage) const;
  /// Null where this version cannot read the stored space.
  const space::SearchSpace* search_space(std::int64_t space_id);
  /// The subnet itself; nothing where the space or its text cannot be read.
  std::optional<space::Arch> parse(const StoredArch& arch);
  const StoredArch& arch(std::int64_t arch_id);
  std::vector<StageShape> shape(const StoredArch& arch);
  void load_metrics(std::int64_t train_id, TrainingInfo& training);
  void load_layer_counts(std::int64_t device_id, const std::string& protocol_hash,
                         std::int64_t model_id, LatencyInfo& latency);
  void load_checks(std::int64_t device_id, std::int64_t space_id, const std::string& protocol_hash,
                   std::int64_t model_id, LatencyInfo& latency);
  std::string check_protocol(std::int64_t device_id, std::int64_t space_id, std::int64_t num_check);
  /// Whether the job's search measured accuracies itself.
  [[nodiscard]] bool search_measures() const;
  void load_generations(std::int64_t search_run_id, SearchRun& run);
  void load_candidates(std::int64_t search_run_id, SearchRun& run);

  SQLite::Database& sql_;
  const ReportRequest& request_;
  std::map<std::int64_t, std::optional<space::SearchSpace>> spaces_;
  std::map<std::int64_t, StoredArch> archs_;
  std::optional<std::int64_t> space_id_;    ///< of the job, as soon as a stage told it
  std::optional<std::int64_t> dataset_id_;  ///< likewise
  std::string checkpoint_sha256_;           ///< of the supernet; empty before training is done
};

/// A column that may be NULL.
std::optional<double> optional_real(const SQLite::Column& column);

/// A JSON object as flat keys and values for people; text that is no object becomes one value named
/// `fallback`.
Facts facts_of_json(const std::string& json, const std::string& fallback);

}  // namespace omnifit::report
