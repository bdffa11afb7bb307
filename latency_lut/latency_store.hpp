#pragma once

#include "latency_lut/correction.hpp"
#include "latency_lut/device.hpp"
#include "latency_lut/kernel_regressor.hpp"
#include "latency_lut/measurement.hpp"
#include "space/plan.hpp"
#include "store/database.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::latency {

/// Queries of the tables device, layer_latency, network_latency, latency_model and layer_estimate.
/// Functions that take SQLite::Database run inside Database::read or Database::write.

/// Id of the existing or new row.
std::int64_t put_device(SQLite::Database& sql, const DeviceRow& device);
std::optional<DeviceRow> get_device(SQLite::Database& sql, std::int64_t device_id);

/// Source of the rows a profile measures itself.
inline constexpr const char* kMeasuredSource = "measured";

struct LayerLatencyRow {
  space::LayerSpec spec;
  MeasurementResult result;
};
/// Stores or replaces one unit.
void put_layer_latency(SQLite::Database& sql, std::int64_t device_id, const Protocol& protocol,
                       const LayerLatencyRow& row);
/// Every measured unit, failures included, in the order of their specs. @throws DataError naming a
/// row that cannot be read.
std::vector<LayerLatencyRow> get_layer_latencies(SQLite::Database& sql, std::int64_t device_id,
                                                 const std::string& protocol_hash);
/// Forgets what was measured, so that a profile starts again.
void delete_layer_latencies(SQLite::Database& sql, std::int64_t device_id,
                            const std::string& protocol_hash);

/// What a whole network was measured for.
enum class NetworkPurpose { kCorrection, kCheck, kWinner, kEval, kImported };
/// "correction", "check", "winner", "eval", "imported".
const std::string& network_purpose_name(NetworkPurpose purpose);

/// Stores or replaces one network.
void put_network_latency(SQLite::Database& sql, std::int64_t device_id, std::int64_t arch_id,
                         const std::string& protocol_hash, NetworkPurpose purpose,
                         const MeasurementResult& result);
/// nullopt if that network was not measured for that purpose.
std::optional<MeasurementResult> get_network_latency(SQLite::Database& sql, std::int64_t device_id,
                                                     std::int64_t arch_id,
                                                     const std::string& protocol_hash,
                                                     NetworkPurpose purpose);
/// usual_reference_ms of what stands beside the networks of a space that profiles measured; 0 if
/// they were timed without a reference.
double get_usual_reference_ms(SQLite::Database& sql, std::int64_t device_id, std::int64_t space_id,
                              const std::string& protocol_hash);
/// Forgets the networks measured for one purpose, so that they are measured again.
void delete_network_latencies(SQLite::Database& sql, std::int64_t device_id,
                              const std::string& protocol_hash, NetworkPurpose purpose);

struct LatencyModelRow {
  std::int64_t stage_run_id = 0;
  std::int64_t device_id = 0;
  std::int64_t space_id = 0;
  Correction correction;
  EstimateCheck check;
  std::string protocol_hash = "";  ///< of the rows it was fitted on; "" in old project files
  // Counted when it is read, from its layer_estimate rows.
  std::int64_t num_estimated =
      0;  ///< units its table holds an estimate of instead of a measurement
  std::optional<double> mean_rel_deviation = std::nullopt;  ///< of them, fraction
  friend bool operator==(const LatencyModelRow&, const LatencyModelRow&) = default;
};
/// Stores or replaces the model of its stage run and device.
void put_latency_model(SQLite::Database& sql, const LatencyModelRow& row);
/// One per device of the stage run, the job's first device first.
std::vector<LatencyModelRow> get_latency_models(SQLite::Database& sql, std::int64_t stage_run_id);
/// What the model's table says of units that were not measured, in the place of all earlier ones.
/// @pre the model of that stage run and device is stored
void put_layer_estimates(SQLite::Database& sql, std::int64_t stage_run_id, std::int64_t device_id,
                         const EstimatedUnits& estimates);
/// @throws DataError naming a row that cannot be read.
EstimatedUnits get_layer_estimates(SQLite::Database& sql, std::int64_t stage_run_id,
                                   std::int64_t device_id);
/// The first of them, if any.
std::optional<LatencyModelRow> get_latency_model(SQLite::Database& sql, std::int64_t stage_run_id);

}  // namespace omnifit::latency
